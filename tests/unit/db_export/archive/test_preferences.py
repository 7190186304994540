import pytest

from plexguard.core.errors import DataError
from plexguard.db_export.archive.preferences import is_own, machine_identifier, read_preferences, without_identity
from tests.fakes.libraries import MACHINE, PREFERENCES, TOKEN

TEXT = PREFERENCES.format(machine=MACHINE, processed="0" * 40, token=TOKEN).encode()


def test_secrets_and_identity_stay_out():
    kept = without_identity(TEXT)

    for secret in (MACHINE, "0" * 40, TOKEN, "somebody", "example.org", "0123456789abcdef", "5f0d6c1e"):
        assert secret.encode() not in kept
    assert read_preferences(kept) == {"FriendlyName": "Cinema", "AcceptedEULA": "1", "autoEmptyTrash": "0", "ButlerStartHour": "3"}


@pytest.mark.parametrize("name", ["PlexOnlineToken", "MyPluginApiKey", "customCertificatePath", "smtpPassword", "secret_of_x"])
def test_what_looks_like_a_secret_is_one(name):
    assert is_own(name)


@pytest.mark.parametrize("name", ["FriendlyName", "TranscoderTempDirectory", "ScheduledLibraryUpdatesEnabled", "customConnections"])
def test_settings_are_nobodys_own(name):
    assert not is_own(name)


def test_odd_letters_survive():
    text = '<Preferences FriendlyName="Kino &amp; &lt;Büro&gt; &quot;1&quot;&#10;"/>'.encode()
    assert read_preferences(without_identity(text)) == {"FriendlyName": 'Kino & <Büro> "1"\n'}


@pytest.mark.parametrize("text", [b"", b"<Preferences", b"<other/>", b"\xff\xfe", b"\0" * 100])
def test_what_is_no_preferences_is_refused(text):
    with pytest.raises(DataError):
        without_identity(text)


def test_machine_is_named_as_plex_names_itself():
    assert machine_identifier({"MachineIdentifier": "a"}) == "f00aaf28f3b0653ca536c4be9edc8e5c1338a321"
    assert machine_identifier({"ProcessedMachineIdentifier": "b"}) == "b"
    assert machine_identifier({}) == ""
