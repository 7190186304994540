"""The keys of a machine, made by the real ssh-keygen."""

import stat

from plexguard.cloud_run.rent.keys import Keys
from plexguard.core.host import LocalHost


def test_keys_are_made_once_and_are_open_to_nobody_else(tmp_path):
    keys = Keys(tmp_path / "delta/keys")
    keys.make(LocalHost(), run="delta")
    private, public = keys.read_host(), keys.client_public

    keys.make(LocalHost(), run="delta")

    assert (keys.read_host(), keys.client_public) == (private, public)
    assert private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----") and public.startswith("ssh-ed25519 ")
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in (keys.host, keys.client)} == {0o600}


def test_key_that_was_handed_over_is_not_made_anew_since_the_machine_has_it(tmp_path):
    keys = Keys(tmp_path / "keys")
    keys.make(LocalHost(), run="delta")
    public = keys.host_public

    for _ in range(2):
        keys.hand_over()
    keys.make(LocalHost(), run="delta")

    assert (keys.read_host(), keys.host_public) == ("", public)
    assert keys.login("s1", "192.0.2.7").known_hosts == (str(tmp_path / "keys/known_hosts"),)
    assert (tmp_path / "keys/known_hosts").read_text() == f"192.0.2.7 {' '.join(public.split()[:2])}\n"


def test_a_key_that_was_cut_off_while_it_was_made_is_made_anew(tmp_path):
    keys = Keys(tmp_path / "keys")
    keys.folder.mkdir()
    keys.host.write_text("half a k")

    keys.make(LocalHost(), run="delta")

    assert keys.read_host().startswith("-----BEGIN")
