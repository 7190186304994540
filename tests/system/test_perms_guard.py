"""The live guard under a running service manager: in its sandbox, over file systems that come and go."""

import time

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure

pytestmark = pytest.mark.machine

GUARD = "plexguard-perms-guard.service"
AUDIT = "plexguard-perms-audit.service"
# A tmpfs of the machine's own: its root is an overlay, which cannot be watched.
MEDIA = "/srv/media"
FILM = f"{MEDIA}/Film 1 (2001)/Film 1.mkv"


def start_guard(machine: Machine, *roots: str) -> None:
    machine.run(["mkdir", "-p", *roots])
    named = ", ".join(f'"{root}"' for root in roots)
    # What it may write to changes with its roots, so this restarts it.
    configure(machine, f"[perms-audit]\nroots = [{named}]\n")
    machine.wait_for(lambda: f"of {len(roots)} roots" in status_of(machine), timeout_s=10, what="the guard has its roots")


@pytest.fixture
def guarded(machine: Machine) -> Machine:
    machine.write(FILM, "film")
    start_guard(machine, MEDIA)
    return machine


def mode_of(machine: Machine, path: str) -> str:
    return machine.run(["stat", "-c", "%a", "--", path]).stdout.strip()


def await_mode(machine: Machine, path: str, mode: str, *, timeout_s: float = 2.0) -> None:
    machine.wait_for(lambda: mode_of(machine, path) == mode, timeout_s=timeout_s, what=f"{path}: {mode}")


def status_of(machine: Machine) -> str:
    return machine.unit(GUARD).get("StatusText", "")


def test_a_fresh_install_runs_the_guard_and_waits_for_a_library(machine: Machine) -> None:
    assert machine.systemctl("is-active", GUARD).strip() == "active"
    assert status_of(machine) == "No root to watch yet"
    assert_clean_journal(machine)


def test_a_film_that_loses_its_bits_has_them_back_within_a_second(guarded: Machine) -> None:
    began_s = time.monotonic()
    guarded.run(["chmod", "000", FILM])

    await_mode(guarded, FILM, "644")

    assert time.monotonic() - began_s < 1.5
    event = await_event(guarded, "perms.repaired", timeout_s=15)
    assert (event["PLEXGUARD_PATH"], event["PLEXGUARD_OLD_MODE"], event["PLEXGUARD_NEW_MODE"]) == (FILM, "0000", "0644")
    assert event["_SYSTEMD_UNIT"] == GUARD
    assert_clean_journal(guarded)


def test_a_closed_folder_that_is_moved_in_is_repaired_with_all_in_it_and_keeps_setgid(guarded: Machine) -> None:
    guarded.write("/srv/incoming/Show/S1/E1.mkv", "film", mode=0o000)
    guarded.run(["chmod", "2700", "/srv/incoming/Show"])

    guarded.run(["mv", "/srv/incoming/Show", MEDIA])

    await_mode(guarded, f"{MEDIA}/Show/S1/E1.mkv", "644")
    await_mode(guarded, f"{MEDIA}/Show", "2755")


def test_thousands_of_closed_files_are_repaired_and_do_not_flood_the_journal(guarded: Machine) -> None:
    cursor = guarded.cursor()
    script = f"umask 777; for n in $(seq 3000); do : > {MEDIA}/$n; done"
    guarded.run(["sh", "-c", script])

    guarded.wait_for(
        lambda: not guarded.run(["find", MEDIA, "-type", "f", "!", "-perm", "-0444"]).stdout, timeout_s=20, what="all are repaired"
    )

    entries = [e for e in guarded.journal(GUARD, since_cursor=cursor) if e.get("_SYSTEMD_UNIT") == GUARD]
    assert 0 < len(entries) < 100


def test_what_cannot_be_watched_is_named_and_left_to_the_timer(machine: Machine) -> None:
    start_guard(machine, MEDIA, "/data/films")

    assert status_of(machine) == "Watching 1 of 2 roots, 0 paths checked; not /data/films (overlay), left to the timer"
    event = await_event(machine, "perms.unwatched", timeout_s=5)
    assert (event["PLEXGUARD_PATH"], event["PLEXGUARD_REASON"]) == ("/data/films", "overlay")


def test_a_disk_is_unmounted_under_the_guard_and_watched_again_when_it_is_back(machine: Machine) -> None:
    machine.run(["mkdir", "-p", "/mnt/disk"])
    machine.run(["mount", "-t", "tmpfs", "disk", "/mnt/disk"])
    start_guard(machine, "/mnt/disk")
    machine.write("/mnt/disk/film", "film", mode=0o600)
    await_mode(machine, "/mnt/disk/film", "644")

    machine.run(["umount", "/mnt/disk"])
    event = await_event(machine, "perms.unwatched", timeout_s=5)
    namespace = machine.run(["cat", f"/proc/{machine.unit(GUARD)['MainPID']}/mountinfo"]).stdout
    cursor = machine.cursor()
    machine.run(["mount", "-t", "tmpfs", "disk", "/mnt/disk"])
    await_event(machine, "perms.watching", timeout_s=5, since_cursor=cursor)
    machine.write("/mnt/disk/film 2", "film", mode=0o600)

    await_mode(machine, "/mnt/disk/film 2", "644")
    assert event["PLEXGUARD_REASON"] == "not mounted"
    assert " - tmpfs disk" not in namespace


def test_a_disk_that_is_mounted_after_the_start_is_watched(machine: Machine) -> None:
    start_guard(machine, "/mnt/late")

    machine.run(["mount", "-t", "tmpfs", "late", "/mnt/late"])
    await_event(machine, "perms.watching", timeout_s=5)
    machine.write("/mnt/late/film", "film", mode=0o600)

    await_mode(machine, "/mnt/late/film", "644")


def test_a_disk_of_which_only_a_folder_is_a_root_is_let_go_when_it_is_unmounted(machine: Machine) -> None:
    machine.run(["mkdir", "-p", "/mnt/disk"])
    machine.run(["mount", "-t", "tmpfs", "disk", "/mnt/disk"])
    start_guard(machine, "/mnt/disk/films")

    machine.run(["umount", "/mnt/disk"])

    def is_let_go() -> bool:
        tables = machine.run(["sh", "-c", "cat /proc/[0-9]*/mountinfo"], check=False).stdout
        return " - tmpfs disk" not in tables

    machine.wait_for(is_let_go, timeout_s=40, what="nothing holds the disk")
    machine.wait_for(lambda: "not /mnt/disk/films" in status_of(machine), timeout_s=20, what="it runs again and says so")
    assert machine.unit(GUARD)["Result"] == "success"


def test_more_than_the_kernel_keeps_is_found_by_an_audit(guarded: Machine) -> None:
    limit = int(guarded.read("/proc/sys/fs/fanotify/max_queued_events"))
    cursor = guarded.cursor()
    guarded.systemctl("kill", "--signal=SIGSTOP", GUARD)
    guarded.run(["sh", "-c", f"cd {MEDIA} && seq {limit} | xargs touch && chmod 000 '{FILM}'"])
    guarded.systemctl("kill", "--signal=SIGCONT", GUARD)

    event = await_event(guarded, "perms.guard-behind", timeout_s=90, since_cursor=cursor)
    await_mode(guarded, FILM, "644", timeout_s=90)

    assert event["PLEXGUARD_UNIT"] == AUDIT
    await_event(guarded, "perms.audited", timeout_s=30)


def test_the_guard_cannot_write_outside_its_roots_nor_mount(guarded: Machine) -> None:
    """Whatever the program wants: what is tried here runs in its very sandbox."""
    guarded.write("/srv/other/film.mkv", "film", mode=0o600)
    tries = "ExecStartPre=-chmod 644 /srv/other/film.mkv\nExecStartPre=-mount --bind /srv/other /srv/media\n"
    guarded.write(f"/run/systemd/system/{GUARD}.d/99-test.conf", f"[Service]\n{tries}")
    guarded.systemctl("daemon-reload")

    guarded.systemctl("restart", GUARD)

    said = guarded.journal_text("-u", GUARD)
    assert "Read-only file system" in said
    assert mode_of(guarded, "/srv/other/film.mkv") == "600"
    assert "mount: " in said or "Operation not permitted" in said
    assert "film.mkv" not in guarded.run(["ls", MEDIA]).stdout


def test_new_roots_are_watched_once_they_are_applied(guarded: Machine) -> None:
    guarded.run(["mkdir", "-p", "/srv/more"])
    configure(guarded, f'[perms-audit]\nroots = ["{MEDIA}", "/srv/more"]\n')
    guarded.wait_for(lambda: "2 of 2" in status_of(guarded), timeout_s=40, what="the new root is watched")

    guarded.write("/srv/more/film", "film", mode=0o600)

    await_mode(guarded, "/srv/more/film", "644")


def test_it_is_small_and_ends_when_it_is_told(guarded: Machine) -> None:
    pid = guarded.unit(GUARD)["MainPID"]
    memory = guarded.read(f"/proc/{pid}/smaps_rollup")

    guarded.systemctl("stop", GUARD)

    resident_kb = next(int(line.split()[1]) for line in memory.splitlines() if line.startswith("Rss:"))
    assert resident_kb < 25 * 1024
    assert guarded.unit(GUARD)["Result"] == "success"
    assert_clean_journal(guarded)
