"""Mount points of plexguard-rclone-watchdog: the folder below a mount is closed on purpose, and stays so in every case."""

import dataclasses
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexguard.core.guarded import Guarded, Unproven
from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.audit import Account, Audit
from plexguard.perms_audit.commands import audit as audit_command
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import IS_BARE
from plexguard.perms_audit.mend import Mender
from plexguard.perms_audit.observe import Survey, survey
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.prove import Place, find_place
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import Lately, RunLog
from plexguard.perms_audit.state import State
from tests.fakes.ports import FakeClock, FakeJournal, fake_ports
from tests.fakes.slow_fuse import SlowFuse
from tests.integration.perms_audit.support import (
    READER,
    ShiftedClock,
    leave_mounts,
    make_file,
    make_folder,
    mode_of,
    mount,
    needs_mounts,
    run_child,
    slow_disk,
)
from tests.integration.perms_audit.test_remote import MeddlingLog

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can open what is somebody else's")
CONFIG = Config(as_uid=READER.uid, as_gid=READER.gids[0])
# Who owns bare mount points.
MEDIA_UID = 54399
CLOSED = 0o700
# As they are left where Plex's libraries lie below them.
MODES = (CLOSED, 0o755)


@pytest.fixture
def point(public: Path) -> Path:
    """A bare mount point, as plexguard-rclone@.service leaves it, beside a folder of films."""
    make_file(public / "media/local/film.mkv", 0o600)
    for folder in ("media", "media/local"):
        (public / folder).chmod(0o755)
    point = make_folder(public / "media/cloud")
    os.chown(point, MEDIA_UID, MEDIA_UID)
    point.chmod(CLOSED)
    return point


def guarding(point: Path, *, verdict: str = "") -> Guarded:
    """Return a guarded mount, which its watchdog says is proven, or else what it is."""
    unproven = (Unproven(name="cloud", mount_point=str(point), verdict=verdict, why=verdict),) if verdict else ()
    return Guarded(mount_points={"cloud": str(point)}, unproven=unproven)


def look(root: Path, guarded: Guarded, folder: Path, *, past: State | None = None) -> Survey:
    return survey((str(root),), CONFIG, environment={}, journal=FakeJournal(), past=past or State(), folder=folder, guarded=guarded)


def audit_account(known: Survey, *, runs: RunLog | None = None) -> Account:
    work = Audit(known.policy, CONFIG, journal=FakeJournal(), clock=ShiftedClock(), workers=1, faulty=known.faulty, runs=runs)
    return work.run(recent=False)


def audit(known: Survey, *, runs: RunLog | None = None) -> tuple[dict[str, RootFault], int]:
    """Return the faults of roots, and how many paths were repaired."""
    account = audit_account(known, runs=runs)
    return account.root_faults, account.repaired


def remembered(point: Path) -> State:
    return State(mounts={str(point): str(point), str(point.parent): "/"})


@pytest.mark.parametrize("past", [lambda _point: State(), remembered], ids=["never audited", "audited"])
@pytest.mark.parametrize("verdict", ["", "absent", "unknown"], ids=["said to be proven", "absent", "its watchdog says nothing"])
@pytest.mark.parametrize("at", ["above", "at"])
@pytest.mark.parametrize("mode", MODES)
def test_a_bare_mount_point_stays_as_it_is_and_is_told(
    point: Path, tmp_path: Path, past: Callable[[Path], State], verdict: str, at: str, mode: int
) -> None:
    point.chmod(mode)
    root = point if at == "at" else point.parent

    faults, repaired = audit(look(root, guarding(point, verdict=verdict), tmp_path, past=past(point)))

    assert mode_of(point) == mode
    assert faults == {str(point): RootFault.NOT_PROVEN if verdict else RootFault.NOT_MOUNTED}
    assert repaired == (1 if at == "above" else 0)


@pytest.mark.parametrize("at", ["above", "at"])
@pytest.mark.parametrize("mode", MODES)
@needs_mounts
def test_a_cover_stays_as_it_is_and_is_told(point: Path, tmp_path: Path, at: str, mode: int) -> None:
    def attempt() -> tuple[int, dict[str, RootFault]]:
        leave_mounts()
        mount("plexguard-cover", point, "tmpfs", f"mode={mode:o},uid={MEDIA_UID}")
        faults, _ = audit(look(point if at == "at" else point.parent, guarding(point), tmp_path))
        return mode_of(point), faults

    assert run_child(attempt) == (mode, {str(point): RootFault.NOT_MOUNTED})


@pytest.fixture
def cloud(public: Path) -> Iterator[SlowFuse]:
    """A mount that is alive, over a bare mount point, with a film that only root may read."""
    with slow_disk(public, {"Show/film.mkv": b"film"}, judge=True) as disk:
        yield disk


def close_below(disk: SlowFuse) -> None:
    """Take the mount away, and leave its mount point as its unit does."""
    subprocess.run(["umount", "-l", disk.target], check=True)
    os.chown(disk.target, MEDIA_UID, MEDIA_UID)
    disk.target.chmod(CLOSED)


@needs_mounts
def test_a_guarded_mount_that_is_proven_is_audited(cloud: SlowFuse, tmp_path: Path) -> None:
    assert audit(look(cloud.target, guarding(cloud.target), tmp_path)) == ({}, 1)


@needs_mounts
def test_a_guarded_mount_that_is_not_proven_is_not_even_asked(cloud: SlowFuse, tmp_path: Path) -> None:
    cloud.hang()

    assert audit(look(cloud.target, guarding(cloud.target, verdict="hung"), tmp_path)) == (
        {str(cloud.target): RootFault.NOT_PROVEN},
        0,
    )


@needs_mounts
def test_a_mount_that_is_not_proven_is_left_to_its_watchdog_to_tell(cloud: SlowFuse, tmp_path: Path) -> None:
    """It is no fault of the audit's, which would last until its next run."""
    known, journals = look(cloud.target, guarding(cloud.target, verdict="hung"), tmp_path), (FakeJournal(), FakeJournal())

    for journal, before in zip(journals, ((), (str(cloud.target),)), strict=True):
        work = Audit(known.policy, CONFIG, journal=journal, clock=ShiftedClock(), workers=1, faulty=known.faulty, left_out=before)
        assert work.run(recent=True).left_out == (str(cloud.target),)
        assert work.told == {}

    assert [journal.names for journal in journals] == [["perms.root-left-out", "perms.audited"], ["perms.audited"]]


@needs_mounts
def test_that_a_guarded_mount_is_read_only_is_nothing_to_tell(cloud: SlowFuse, tmp_path: Path) -> None:
    def attempt() -> tuple[bool, bool]:
        leave_mounts()
        subprocess.run(["mount", "-i", "-o", "remount,bind,ro", cloud.target], check=True)
        others = Guarded(mount_points={})
        told = [audit_account(look(cloud.target, guarded, tmp_path)).read_only for guarded in (guarding(cloud.target), others)]
        return bool(told[0]), bool(told[1])

    assert run_child(attempt) == (False, True)


def test_a_mount_with_many_libraries_is_told_once(point: Path, tmp_path: Path) -> None:
    known = survey(
        (f"{point}/films", f"{point}/shows"),
        CONFIG,
        environment={},
        journal=FakeJournal(),
        past=State(),
        folder=tmp_path,
        guarded=guarding(point, verdict="hung"),
    )

    assert audit(known)[0] == {str(point): RootFault.NOT_PROVEN}


@pytest.mark.parametrize(("verdict", "code"), [("hung", os.EX_TEMPFAIL), ("", os.EX_NOINPUT)], ids=["not proven", "not mounted"])
def test_a_mount_that_is_not_proven_is_no_failure_of_the_audit(
    point: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, code: int
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(make_folder(tmp_path / "state")))

    def attempt() -> int:
        ports = fake_ports(journal=FakeJournal(), clock=FakeClock())
        return audit_command.run(
            (str(point.parent),),
            CONFIG,
            ports,
            guarded=guarding(point, verdict=verdict),
            check=False,
            recent=False,
            within_roots=False,
            output="text",
        )

    assert run_child(attempt) == code


@needs_mounts
def test_a_mount_that_goes_before_it_is_walked_leaves_its_bare_folder_closed(cloud: SlowFuse, tmp_path: Path) -> None:
    known = look(cloud.target, guarding(cloud.target), tmp_path)
    close_below(cloud)

    assert audit(known) == ({str(cloud.target): RootFault.NOT_MOUNTED}, 0)
    assert mode_of(cloud.target) == CLOSED


@needs_mounts
def test_a_mount_that_goes_between_walk_and_repair_leaves_its_bare_folder_closed(cloud: SlowFuse, tmp_path: Path) -> None:
    known = look(cloud.target, guarding(cloud.target), tmp_path)

    _, repaired = audit(known, runs=MeddlingLog(tmp_path / "runs", cloud.target, lambda: close_below(cloud)))

    assert repaired == 0
    assert mode_of(cloud.target) == CLOSED


def mend(policy: Policy, *places: Place, folder: Path) -> list[dict[str, object]]:
    """Check places as the live guard and requests do; return what was told to be left."""

    def attempt() -> list[dict[str, object]]:
        journal, clock = FakeJournal(), FakeClock()
        guise = Guise(READER)
        guise.prepare()
        runs = RunLog(folder / "runs", "guard", clock)
        mender = Mender(
            policy,
            guise,
            runs=runs,
            journal=journal,
            clock=clock,
            lately=Lately(folder / "runs", clock, within=CONFIG.repeat_after),
        )
        mender.check(places)
        mender.flush(last=True)
        return [values for event, values in journal.sent if event.name == "perms.not-repaired"]

    return run_child(attempt)


def test_the_live_guard_leaves_a_bare_mount_point_and_what_strayed_into_it_alone(point: Path, tmp_path: Path) -> None:
    make_file(point / "stray.mkv", 0o600)
    policy = look(point.parent, guarding(point), tmp_path).policy

    told = mend(policy, Place(0, "cloud"), Place(0, "cloud/stray.mkv"), Place(0, "local/film.mkv"), folder=tmp_path)

    assert (mode_of(point), mode_of(point / "stray.mkv"), told) == (CLOSED, 0o600, [])
    assert mode_of(point.parent / "local/film.mkv") == 0o644


def test_who_does_not_know_of_the_mount_yet_knows_its_folder_by_its_owner(point: Path, tmp_path: Path) -> None:
    # given: a mount that was configured a moment ago
    policy = dataclasses.replace(look(point.parent, Guarded(mount_points={}), tmp_path).policy, guard_uid=MEDIA_UID)

    told = mend(policy, Place(0, "cloud"), folder=tmp_path)

    assert mode_of(point) == CLOSED
    assert [values["reason"] for values in told] == [IS_BARE]


def test_a_path_below_a_bare_mount_point_lies_in_no_root(point: Path, tmp_path: Path) -> None:
    policy = look(point.parent, guarding(point, verdict="absent"), tmp_path).policy

    assert find_place(f"{point}/film.mkv", policy) is None
    assert find_place(str(point), policy) is None
    assert find_place(f"{point.parent}/local/film.mkv", policy) == Place(0, "local/film.mkv")
