"""From a line in Plex's log to a file that plays, through all the programs on the way."""

import time

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain, mode_of
from tests.system.native_plex import DATA, DOOR, FILMS, list_films, play_film

pytestmark = pytest.mark.machine

_FILM = f"{FILMS}/Film 1 (2001)/Film 1.mkv"
_LOG = f"{DATA}/Logs/Plex Media Server.log"
FLAG = "/run/plexguard/health/unreadable"


def await_watch(machine: Machine) -> None:
    machine.wait_for(
        lambda: machine.unit("plexguard-log-watch.service")["ActiveState"] == "active", timeout_s=20, what="the log watch runs"
    )
    # A file that was never followed is begun at its end.
    time.sleep(2)


def await_door(machine: Machine) -> None:
    machine.wait_for(
        lambda: list_films(machine) and play_film(machine, _FILM, DOOR) == 200, timeout_s=60, what="the door lets through"
    )


def write_log(machine: Machine, message: str) -> None:
    machine.run(["tee", "-a", _LOG], user="plex", input=f"Nov 21, 2026 10:00:00.000 [140594388716176] ERROR - {message}\n")


def complain(machine: Machine, path: str) -> None:
    write_log(machine, f"Error opening file '\"{path}\"' - Permission denied (13)")


def test_a_film_that_a_player_could_not_play_is_repaired_within_seconds(plex_machine: Machine) -> None:
    machine = plex_machine
    await_watch(machine)
    machine.run(["chmod", "000", _FILM])
    machine.run(["chmod", "700", f"{FILMS}/Film 1 (2001)"])
    cursor = machine.cursor()

    assert play_film(machine, _FILM) == 404
    machine.wait_for(lambda: play_film(machine, _FILM) == 200, timeout_s=10, what="the film plays")

    repaired = events(machine, "perms.repaired", since_cursor=cursor)
    assert [e["_SYSTEMD_UNIT"] for e in repaired] == ["plexguard-perms-request.service"] * 2
    assert [e["PLEXGUARD_PATH"] for e in repaired] == [f"{FILMS}/Film 1 (2001)", _FILM]
    assert_clean_journal(machine)


def test_a_film_that_was_asked_for_at_the_door_is_repaired_also_where_plexs_log_is_closed(plex_machine: Machine) -> None:
    machine = plex_machine
    await_watch(machine)
    await_door(machine)
    # Plex alone may read it.
    machine.run(["chmod", "600", _LOG])
    machine.run(["chmod", "600", _FILM])

    assert play_film(machine, _FILM, DOOR) == 404
    machine.wait_for(lambda: play_film(machine, _FILM, DOOR) == 200, timeout_s=10, what="the film plays")

    told = await_event(machine, "logs.complaint", timeout_s=10)
    assert (told["PLEXGUARD_PATH"], told["PLEXGUARD_PATTERN"]) == (_FILM, "proxy-part-not-served")
    assert told["PLEXGUARD_VERDICT"] == "repaired"
    assert_clean_journal(machine, allowed=("logs.unreadable",))


def test_a_line_that_only_looks_like_the_doors_repairs_nothing(plex_machine: Machine) -> None:
    machine = plex_machine
    await_watch(machine)
    await_door(machine)
    part = list_films(machine)[_FILM]
    machine.run(["chmod", "600", _FILM])

    machine.run(["logger", "-t", "plexguard-proxy", f'client=192.0.2.7:1 "GET {part} HTTP/1.1" 404 kind=media'], user="nobody")
    # What was written later is read later.
    machine.run(["chmod", "600", f"{FILMS}/Film 2 (2002)/Film 2.mkv"])
    assert play_film(machine, f"{FILMS}/Film 2 (2002)/Film 2.mkv", DOOR) == 404
    machine.wait_for(
        lambda: play_film(machine, f"{FILMS}/Film 2 (2002)/Film 2.mkv", DOOR) == 200, timeout_s=10, what="the other film plays"
    )

    assert mode_of(machine, _FILM) == 0o600


def test_what_cannot_be_repaired_is_flagged_and_cleared_when_it_is_cured(plex_machine: Machine) -> None:
    machine = plex_machine
    await_watch(machine)
    machine.run(["chmod", "600", _FILM])
    configure(machine, '[perms-audit]\nfile_mode = "0600"\n')

    complain(machine, _FILM)
    told = await_event(machine, "perms.unhealthy", timeout_s=10)

    assert (told["PLEXGUARD_PATH"], mode_of(machine, _FILM)) == (_FILM, 0o600)
    assert "no r for others" in told["PLEXGUARD_REASON"]
    assert "opened as Plex's user" in explain(machine, "perms.unhealthy")
    assert _FILM in machine.read(FLAG)
    check = machine.run(["plexguard-perms-audit", "--check"], check=False)
    assert (check.returncode, check.stdout.strip()) == (1, _FILM)

    machine.run(["chmod", "644", _FILM])
    machine.systemctl("start", "plexguard-perms-audit.service")

    assert events(machine, "perms.healthy")[-1]["PLEXGUARD_PATH"] == _FILM
    assert machine.run(["test", "-e", FLAG], check=False).returncode == 1
    assert machine.run(["plexguard-perms-audit", "--check"], check=False).returncode == 0


@pytest.mark.parametrize(
    "path",
    ["/etc/shadow", f"{FILMS}/../../../etc/shadow", f"{FILMS}-private/diary.txt", "\\n" * 4096, f"{FILMS}/link/secret"],
    ids=["a file of the system", "a way out", "a neighbour of the same beginning", "line ends", "a link out"],
)
def test_hostile_log_text_reaches_nothing_outside_the_roots(plex_machine: Machine, path: str) -> None:
    machine = plex_machine
    await_watch(machine)
    machine.write(f"{FILMS}-private/diary.txt", "dear diary", mode=0o600)
    machine.write("/srv/secret/secret", "secret", mode=0o600)
    machine.run(["ln", "-s", "/srv/secret", f"{FILMS}/link"])
    before = [mode_of(machine, file) for file in ("/etc/shadow", f"{FILMS}-private/diary.txt", "/srv/secret/secret", "/srv/secret")]
    machine.run(["chmod", "600", _FILM])

    complain(machine, path)
    complain(machine, _FILM)
    await_event(machine, "perms.repaired", timeout_s=10)

    files = ("/etc/shadow", f"{FILMS}-private/diary.txt", "/srv/secret/secret", "/srv/secret")
    assert [mode_of(machine, file) for file in files] == before
    assert [e["PLEXGUARD_PATH"] for e in events(machine, "perms.repaired")] == [_FILM]


def test_only_root_and_plexguard_may_ask(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["chmod", "600", _FILM])
    ask = f"from plexguard.core.perms_request import ask; print(ask({_FILM!r}, timeout_s=10).verdict.value)"

    by_nobody = machine.run(["/usr/bin/python3", "-c", ask], user="nobody", check=False)
    mode = mode_of(machine, _FILM)
    by_plexguard = machine.run(["/usr/bin/python3", "-c", ask], user="plexguard")

    assert (by_nobody.returncode != 0, mode) == (True, 0o600)
    assert (by_plexguard.stdout.strip(), mode_of(machine, _FILM)) == ("repaired", 0o644)


def test_the_service_ends_when_nobody_asks_and_the_next_request_starts_it(plex_machine: Machine) -> None:
    machine = plex_machine
    ask = f"from plexguard.core.perms_request import ask; print(ask({_FILM!r}, timeout_s=10).verdict.value)"
    machine.run(["/usr/bin/python3", "-c", ask], user="plexguard")

    machine.systemctl("stop", "plexguard-perms-request.service")
    again = machine.run(["/usr/bin/python3", "-c", ask], user="plexguard")

    assert again.stdout.strip() == "readable"
    assert machine.unit("plexguard-perms-request.service")["ActiveState"] == "active"
