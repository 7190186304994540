"""What is wrong around a configuration."""

import pytest

from plexguard.core.endpoints import ENDPOINTS, Endpoint
from plexguard.core.found import FoundPlex, Server
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


# -- who listens where ------------------------------------------------------------------------------------------------


def ends(*texts: str) -> tuple[Endpoint, ...]:
    return ENDPOINTS.parse(list(texts))


def listening(**changes: object) -> dict[str, tuple[Endpoint, ...]]:
    given = {"listen": ends("127.0.0.1:32401"), "metrics_listen": ends("127.0.0.1:32402"), **changes}
    return {"[status] listen": ends("127.0.0.1:32480"), **{f"[proxy] {name}": value for name, value in given.items()}}  # type: ignore[dict-item]


NATIVE = FoundPlex(server=Server.UNIT, url="http://127.0.0.1:32400")


def test_everybody_at_a_port_of_his_own_is_right() -> None:
    assert decide(seen(listen=listening(), found=NATIVE)).faults == ()


@pytest.mark.parametrize(
    ("changes", "found", "words"),
    [
        ({"listen": ends("127.0.0.1:32480")}, NATIVE, ["[status] listen", "[proxy] listen", "127.0.0.1:32480"]),
        ({"metrics_listen": ends("0.0.0.0:32480")}, NATIVE, ["[proxy] metrics_listen: found 0.0.0.0:32480"]),
        ({"listen": ends("192.0.2.7:32400")}, NATIVE, ["[proxy] listen: found 192.0.2.7:32400, where Plex itself answers"]),
        ({"listen": ends("127.0.0.1:32400")}, None, ["where Plex itself answers"]),
    ],
)
def test_two_at_one_address_are_a_fault(changes: dict[str, object], found: FoundPlex | None, words: list[str]) -> None:
    (fault,) = decide(seen(listen=listening(**changes), found=found)).faults
    assert all(word in fault for word in words)
    # Told to who may not look at secrets, too.
    assert decide(seen(listen=listening(**changes), found=found, credentials=None)).faults == (fault,)


def test_a_door_that_is_switched_off_is_in_nobodys_way() -> None:
    off = Unit(name="plexguard-proxy.service", file_state="masked", preset="enabled")

    assert decide(seen(listen=listening(listen=ends("127.0.0.1:32400")), found=NATIVE, units=(off,))).faults == ()


def test_a_door_to_the_network_is_worth_a_word() -> None:
    (note,) = decide(seen(listen=listening(listen=ends("192.0.2.7:32401")), found=NATIVE)).notes
    assert "whoever reaches 192.0.2.7:32401 reaches Plex" in note
    (low,) = decide(seen(listen=listening(listen=ends("127.0.0.1:80")), found=NATIVE)).notes
    assert "127.0.0.1:80" in low and "root" in low
    assert decide(seen(listen=listening(metrics_listen=ends("192.0.2.7:32402")), found=NATIVE)).notes == ()
