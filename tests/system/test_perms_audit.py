"""Permission audits under a running service manager, as their timers start them."""

import time
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain, mode_of
from tests.system.native_plex import FILMS, TOKEN, add_library, play_film

pytestmark = pytest.mark.machine

SLOW_FUSE = Path(__file__).parent.parent / "fakes/slow_fuse.py"
_FILM = f"{FILMS}/Film 1 (2001)/Film 1.mkv"


def test_a_film_that_plex_cannot_read_plays_again_after_the_timers_run(plex_machine: Machine) -> None:
    machine = plex_machine
    # Else what Plex writes into its log would be quicker.
    machine.systemctl("stop", "plexguard-log-watch.service")
    machine.run(["chmod", "000", _FILM])
    refused = play_film(machine, _FILM)

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert (refused, play_film(machine, _FILM)) == (404, 200)
    event = events(machine, "perms.repaired")[-1]
    assert (event["PLEXGUARD_PATH"], event["PLEXGUARD_OLD_MODE"], event["PLEXGUARD_NEW_MODE"]) == (_FILM, "0000", "0644")
    assert event["_SYSTEMD_UNIT"] == "plexguard-perms-audit.service"
    assert "told that it is not available" in explain(machine, "perms.repaired")
    assert_clean_journal(machine)


def test_events_are_their_units_though_journald_is_behind(plex_machine: Machine) -> None:
    """journald asks the process that sent an entry for its unit; one that had ended by then is missed by `journalctl -u`."""
    machine = plex_machine
    machine.systemctl("stop", "plexguard-log-watch.service")
    machine.run(["chmod", "000", _FILM])
    cursor = machine.cursor()

    machine.systemctl("kill", "--signal=STOP", "systemd-journald.service")
    try:
        machine.systemctl("start", "--no-block", "plexguard-perms-audit.service")
        time.sleep(2)
    finally:
        machine.systemctl("kill", "--signal=CONT", "systemd-journald.service")
    machine.wait_for(
        lambda: machine.unit("plexguard-perms-audit.service")["ActiveState"] == "inactive", timeout_s=60, what="the audit is done"
    )

    assert [e["_SYSTEMD_UNIT"] for e in events(machine, "perms.repaired", since_cursor=cursor)] == ["plexguard-perms-audit.service"]


def test_a_closed_folder_and_what_is_in_it_are_repaired_and_setgid_is_kept(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["chmod", "000", _FILM])
    machine.run(["chmod", "2000", f"{FILMS}/Film 1 (2001)"])

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert machine.run(["stat", "-c", "%a", f"{FILMS}/Film 1 (2001)", _FILM]).stdout.split() == ["2755", "644"]


def test_a_library_that_is_added_is_audited(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["mkdir", "-p", "/srv/more films 100%"])
    machine.write("/srv/more films 100%/new.mkv", "film", mode=0o000)
    add_library(machine, "More", "/srv/more%20films%20100%25")

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert machine.run(["stat", "-c", "%a", "/srv/more films 100%/new.mkv"]).stdout.strip() == "644"


def test_a_root_that_is_gone_fails_the_unit_and_says_so(plex_machine: Machine) -> None:
    machine = plex_machine
    configure(machine, f'[perms-audit]\nroots = ["{FILMS}", "/srv/gone"]\n')

    done = machine.run(["systemctl", "start", "plexguard-perms-audit.service"], check=False)

    assert done.returncode != 0
    assert machine.unit("plexguard-perms-audit.service")["ExecMainStatus"] == "66"
    assert events(machine, "perms.root-fault")[-1]["PLEXGUARD_ROOT"] == "/srv/gone"
    assert events(machine, "perms.audited")[-1]["PLEXGUARD_FILES"] == "3"


def test_a_root_whose_disk_is_not_mounted_is_no_healthy_root(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.write("/etc/fstab", "tmpfs /srv/disk tmpfs noauto 0 0\n")
    machine.run(["mkdir", "-p", "/srv/disk/films"])
    machine.write("/srv/disk/films/stray.mkv", "stray", mode=0o000)

    done = machine.run(["plexguard-perms-audit", "/srv/disk/films"], check=False)

    assert (done.returncode, "not mounted" in done.stderr) == (66, True)
    assert machine.run(["stat", "-c", "%a", "/srv/disk/films/stray.mkv"]).stdout.strip() == "0"


def unit_for(machine: Machine, path: str) -> str:
    return machine.run(["systemd-escape", "--template=plexguard-perms-audit@.service", "-p", path]).stdout.strip()


def test_one_folder_is_audited_on_demand(plex_machine: Machine) -> None:
    machine = plex_machine
    film = f'{FILMS}/new arrivals/It\'s "new".mkv'
    machine.write(film, "film", mode=0o000)
    machine.run(["chmod", "000", _FILM])

    machine.systemctl("start", unit_for(machine, f"{FILMS}/new arrivals"))

    assert (mode_of(machine, film), mode_of(machine, _FILM)) == (0o644, 0)


def test_a_path_below_no_root_is_refused_on_demand(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.write("/srv/private/diary.txt", "dear diary", mode=0o600)

    done = machine.run(["systemctl", "start", unit_for(machine, "/srv/private")], check=False)

    assert (done.returncode != 0, mode_of(machine, "/srv/private/diary.txt")) == (True, 0o600)
    assert "lies below no root" in machine.journal_text("-u", unit_for(machine, "/srv/private"))


def test_media_that_only_a_group_may_read_are_well_when_plex_is_in_it(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["groupadd", "media"])
    machine.run(["usermod", "-aG", "media", "plex"])
    machine.run(["chgrp", "-R", "media", f"{FILMS}/Film 1 (2001)"])
    machine.run(["chmod", "-R", "u=rwX,g=rX,o=", f"{FILMS}/Film 1 (2001)"])
    machine.run(["chmod", "600", f"{FILMS}/Film 2 (2002)/Film 2.mkv"])
    machine.systemctl("start", "plexguard-discover.service")

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert (mode_of(machine, _FILM), mode_of(machine, f"{FILMS}/Film 2 (2002)/Film 2.mkv")) == (0o640, 0o644)
    assert "no r for others" in events(machine, "perms.repaired")[-1]["PLEXGUARD_REASON"]


def test_a_run_is_listed_undone_and_for_an_hour_left_so(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["chmod", "600", _FILM])
    machine.systemctl("start", "plexguard-perms-audit.service")
    run = machine.run(["plexguard-perms-audit", "list"]).stdout.split()[0]

    machine.run(["plexguard-perms-audit", "undo", run])
    machine.run(["systemctl", "start", "plexguard-perms-audit.service"], check=False)

    assert events(machine, "perms.repaired")[-1]["PLEXGUARD_RUN"] == run
    assert mode_of(machine, _FILM) == 0o600
    assert "a while ago" in events(machine, "perms.not-repaired")[-1]["PLEXGUARD_REASON"]
    assert machine.run(["plexguard-perms-audit", "explain", _FILM], check=False).returncode == 1


def test_owners_are_repaired_where_that_is_configured(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["chown", "nobody:nogroup", _FILM])
    configure(machine, '[perms-audit]\nowner = "plex"\ngroup = "plex"\n')

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert machine.run(["stat", "-c", "%U:%G", _FILM]).stdout.strip() == "plex:plex"


def test_a_fuse_mount_is_repaired_by_the_unit_when_it_is_proven_alive(machine: Machine) -> None:
    machine.push(SLOW_FUSE, "/srv/slow_fuse.py")
    machine.write("/srv/behind/good.mkv", "film")
    machine.write("/srv/behind/bad.mkv", "film", mode=0o000)
    machine.run(["mkdir", "-p", "/srv/media/cloud"])
    mounter = machine.spawn(["/usr/bin/python3", "/srv/slow_fuse.py", "/srv/behind", "/srv/media/cloud"])
    machine.wait_for(lambda: "/srv/media/cloud" in machine.read("/proc/mounts"), timeout_s=10, what="a FUSE mount")
    machine.write("/srv/media/local.mkv", "film", mode=0o600)
    configure(machine, '[perms-audit]\nroots = ["/srv/media/cloud"]\n')

    machine.systemctl("start", "plexguard-perms-audit.service")
    mode = mode_of(machine, "/srv/media/cloud/bad.mkv")
    mounter.kill()

    assert mode == 0o644


def test_the_unit_cannot_write_outside_its_roots(plex_machine: Machine) -> None:
    """The roots are the only folders that are not read-only to the unit, whatever the program wants."""
    machine = plex_machine
    machine.write("/srv/other/film.mkv", "film", mode=0o000)
    argument = "ExecStart=\nExecStart=/usr/bin/plexguard-perms-audit /srv/other\n"
    machine.write("/run/systemd/system/plexguard-perms-audit.service.d/99-test.conf", f"[Service]\n{argument}")
    machine.systemctl("daemon-reload")

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert machine.run(["stat", "-c", "%a", "/srv/other/film.mkv"]).stdout.strip() == "0"
    assert "read-only" in events(machine, "perms.not-repaired")[-1]["PLEXGUARD_REASON"]


def test_dry_run_of_the_configuration_changes_nothing(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["chmod", "000", _FILM])
    configure(machine, "[perms-audit]\ndry_run = true\n")

    machine.systemctl("start", "plexguard-perms-audit.service")

    assert mode_of(machine, _FILM) == 0
    assert events(machine, "perms.found")[-1]["PLEXGUARD_PATH"] == _FILM


def test_no_token_reaches_the_journal(plex_machine: Machine) -> None:
    machine = plex_machine
    for unit in ("discover", "perms-audit", "plex-probe"):
        machine.systemctl("start", f"plexguard-{unit}.service")
    await_event(machine, "discover.found", timeout_s=10)

    # The simulator masks it in its own log, as Plex does; nobody else may show it either.
    assert TOKEN not in machine.journal_text("-o", "export")


def test_a_hung_mount_is_reported_and_the_other_roots_are_audited(plex_machine: Machine) -> None:
    machine = plex_machine
    machine.run(["mkdir", "-p", "/srv/behind", "/srv/dead"])
    machine.push(SLOW_FUSE, "/srv/slow_fuse.py")
    configure(machine, f'[perms-audit]\nroots = ["/srv/dead/films", "{FILMS}"]\nstall_timeout = "5s"\n')
    mounter = machine.spawn(["/usr/bin/python3", "/srv/slow_fuse.py", "/srv/behind", "/srv/dead"])
    assert mounter.stdin is not None and mounter.stdout is not None
    assert mounter.stdout.readline() == "mounted\n"
    print("stop", file=mounter.stdin, flush=True)
    # It has heard.
    assert mounter.stdout.readline()
    machine.run(["chmod", "000", _FILM])

    done = machine.run(["systemctl", "start", "plexguard-perms-audit.service"], check=False, timeout_s=60)
    mounter.kill()

    assert done.returncode != 0
    fault = events(machine, "perms.root-fault")[-1]
    assert (fault["PLEXGUARD_ROOT"], "hangs" in fault["PLEXGUARD_REASON"]) == ("/srv/dead/films", True)
    assert events(machine, "perms.repaired")[-1]["PLEXGUARD_PATH"] == _FILM


def test_a_root_whose_disk_went_away_is_told_by_the_unit_and_by_hand(machine: Machine) -> None:
    """Inside the unit every root is bound onto itself: that must not pass for its disk."""
    machine.run(["mkdir", "-p", "/data/films"])
    machine.run(["mount", "-t", "tmpfs", "films", "/data/films"])
    machine.write("/data/films/film.mkv", "film")
    configure(machine, '[perms-audit]\nroots = ["/data/films"]\n')
    machine.systemctl("start", "plexguard-perms-audit.service")
    machine.run(["plexguard-perms-audit"])

    machine.run(["umount", "/data/films"])
    machine.write("/data/films/stray.mkv", "stray")
    by_unit = machine.run(["systemctl", "start", "plexguard-perms-audit.service"], check=False)
    by_hand = machine.run(["plexguard-perms-audit"], check=False)

    assert "not mounted" in events(machine, "perms.root-fault")[-1]["PLEXGUARD_REASON"]
    assert (by_unit.returncode != 0, by_hand.returncode) == (True, 66)
