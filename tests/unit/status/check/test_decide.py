"""What is wrong around a configuration."""

import pytest

from plexguard.core.manager import Unit
from plexguard.status.check.decide import decide
from plexguard.status.check.observe import CredentialFile, Observation

FOLDER = "/etc/plexguard/credentials"
GOOD = CredentialFile(path=f"{FOLDER}/plex.token", mode=0o600, uid=0)
OFF = Unit(name="plexguard-perms-audit-full.timer", file_state="disabled", preset="enabled")


def seen(*files: CredentialFile, **changes: object) -> Observation:
    return Observation(**{"folder": FOLDER, "credentials": files, **changes})  # type: ignore[arg-type]


def test_a_file_that_only_root_can_read_is_right() -> None:
    report = decide(seen(GOOD, needed=("plex.token",)))

    assert (report.faults, report.notes) == ((), ())


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (CredentialFile(path=f"{FOLDER}/a b", mode=0o640, uid=0), f"chmod 0600 '{FOLDER}/a b'"),
        (CredentialFile(path=f"{FOLDER}/a", mode=0o604, uid=0), "found mode 0604"),
        (CredentialFile(path=f"{FOLDER}/a", mode=0o600, uid=1000), "belongs to uid 1000"),
        (CredentialFile(path=f"{FOLDER}/a", mode=0o777, uid=0, is_file=False), "no regular file"),
    ],
)
def test_a_secret_that_others_can_get_at_is_a_fault_with_its_cure(file: CredentialFile, words: str) -> None:
    (fault,) = decide(seen(GOOD, file)).faults

    assert words in fault


def test_a_secret_that_is_needed_and_not_there_is_a_fault() -> None:
    (fault,) = decide(seen(GOOD, needed=("plex.token", "notify.hook.url"))).faults

    assert fault.startswith(f"{FOLDER}/notify.hook.url: missing")


def test_who_may_not_look_is_told_so_and_finds_no_fault() -> None:
    report = decide(seen(credentials=None, needed=("notify.hook.url",)))

    assert report.faults == ()
    assert "only root" in report.notes[0]


@pytest.mark.parametrize(
    ("unit", "configured", "noted"),
    [
        (OFF, {"perms-audit"}, True),
        (OFF, {"plex-probe"}, False),
        (Unit(name=OFF.name, file_state="enabled", preset="enabled"), {"perms-audit"}, False),
        (Unit(name="plexguard-perms-guard.service", file_state="disabled", preset="disabled"), {"perms-audit"}, False),
    ],
)
def test_what_is_configured_and_switched_off_is_noted(unit: Unit, configured: set[str], noted: bool) -> None:
    report = decide(seen(units=(unit,), configured=frozenset(configured)))

    assert bool(report.notes) is noted
    assert report.faults == ()
