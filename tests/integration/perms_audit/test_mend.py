"""Single places, as the guard and requests have them mended: judged as Plex, repaired at once, told now and then."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import DOES_NOT_HOLD, IS_SET_ID
from plexguard.perms_audit.mend import Mender
from plexguard.perms_audit.prove import find_place
from plexguard.perms_audit.runs import Lately, RunLog, list_runs, read_run
from tests.fakes.ports import FakeClock, FakeJournal
from tests.integration.perms_audit.support import (
    READER,
    leave_mounts,
    make_file,
    make_folder,
    mode_of,
    mount,
    needs_mounts,
    policy_of,
    run_child,
    set_acl,
    snapshot,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
T = TypeVar("T")


class Bench:
    """A mender over one root, with all it reaches. Only to be used inside `at_bench`, in a process that becomes Plex's."""

    def __init__(self, root: Path, folder: Path, *, config: Config | None = None) -> None:
        self.config = config or Config()
        self.policy = policy_of(root, identity=READER, config=self.config)
        self.journal, self.clock, self.runs_folder = FakeJournal(), FakeClock(), folder / "runs"
        self.runs = RunLog(self.runs_folder, "guard", self.clock)
        self.asked: list[str] = []
        guise = Guise(READER)
        guise.prepare()
        self.mender = Mender(
            self.policy,
            guise,
            runs=self.runs,
            journal=self.journal,
            clock=self.clock,
            lately=Lately(self.runs_folder, self.clock, within=self.config.repeat_after),
            dry_run=self.config.dry_run,
            ask_audit=self.asked.append,
        )

    def check(self, *paths: Path) -> "Bench":
        places = [find_place(str(path), self.policy) for path in paths]
        self.mender.check([place for place in places if place is not None])
        return self

    def told(self) -> list[str]:
        self.mender.flush(last=True)
        return self.journal.names


def at_bench(root: Path, folder: Path, work: Callable[[Bench], T], *, config: Config | None = None) -> T:
    def attempt() -> T:
        bench = Bench(root, folder, config=config)
        with contextlib.closing(bench.runs):
            return work(bench)

    return run_child(attempt)


@pytest.fixture
def film(public: Path) -> Path:
    make_file(public / "root/Show/film.mkv", 0o600)
    for name in ("root/Show", "root"):
        (public / name).chmod(0o755)
    return public / "root/Show/film.mkv"


@pytest.fixture
def root(film: Path) -> Path:
    return film.parents[1]


def test_a_place_that_plex_cannot_read_is_repaired_written_down_and_told(root: Path, film: Path, tmp_path: Path) -> None:
    def work(bench: Bench) -> tuple[list[str], dict[str, object], str]:
        bench.check(film)
        return bench.told(), bench.journal.values("perms.repaired"), bench.runs.run

    names, values, run = at_bench(root, tmp_path, work)

    assert mode_of(film) == 0o644
    assert names == ["perms.repaired"]
    assert (values["path"], values["old_mode"], values["new_mode"], values["run"]) == (str(film), 0o600, 0o644, run)
    assert [change.full_path for change in read_run(tmp_path / "runs", run).changes] == [str(film)]


def test_a_closed_folder_is_opened_before_what_lies_in_it(root: Path, film: Path, tmp_path: Path) -> None:
    film.parent.chmod(0o700)

    at_bench(root, tmp_path, lambda bench: bench.check(film, film.parent, root).told())

    assert (mode_of(film.parent), mode_of(film)) == (0o755, 0o644)


def test_each_right_to_a_folder_may_come_from_another_group(root: Path, film: Path, tmp_path: Path) -> None:
    # given: r from one group and x from another, which the kernel takes one by one
    os.chown(film.parent, 0, READER.gids[0])
    film.parent.chmod(0o710)
    set_acl(film.parent, groups={READER.gids[1]: 4}, mask=5)
    before = mode_of(film.parent)

    assert at_bench(root, tmp_path, lambda bench: bench.check(film.parent).told()) == []
    assert mode_of(film.parent) == before
    assert list_runs(tmp_path / "runs") == []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda film: film.chmod(0o4700), IS_SET_ID),
        (lambda film: set_acl(film, users={READER.uid: 0}), "its new mode did not help and was taken back"),
    ],
    ids=["set-id", "an ACL"],
)
def test_what_cannot_be_repaired_is_told_once_an_hour(
    root: Path, film: Path, tmp_path: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(film)
    mode = mode_of(film)

    def work(bench: Bench) -> list[str]:
        for _ in range(3):
            bench.check(film)
            bench.mender.flush()
        bench.clock.pass_time(3600)
        bench.check(film)
        bench.mender.flush()
        return [str(values["reason"]) for event, values in bench.journal.sent if event.name == "perms.not-repaired"]

    reasons = at_bench(root, tmp_path, work)

    assert len(reasons) == 2
    assert all(told.startswith(reason) for told in reasons)
    assert mode_of(film) == mode


def test_what_does_not_hold_is_left_until_its_time_has_passed(root: Path, film: Path, tmp_path: Path) -> None:
    def work(bench: Bench) -> list[int]:
        modes = []
        for wait_s in (0, 3500, 200):
            film.chmod(0o600)
            bench.clock.pass_time(wait_s)
            bench.check(film)
            modes.append(mode_of(film))
        bench.mender.flush(last=True)
        assert bench.journal.values("perms.not-repaired")["reason"] == DOES_NOT_HOLD
        return modes

    assert at_bench(root, tmp_path, work) == [0o644, 0o600, 0o644]


def test_a_burst_is_summed_up_when_its_time_is_over(root: Path, tmp_path: Path) -> None:
    films = [root / f"{number}.mkv" for number in range(100)]
    for film in films:
        make_file(film, 0o000)

    def work(bench: Bench) -> list[str]:
        for film in films:
            bench.check(film)
            bench.mender.flush()
        assert bench.journal.names == ["perms.repaired"] * 20
        bench.clock.pass_time(10)
        bench.mender.flush()
        return bench.journal.names[20:]

    assert at_bench(root, tmp_path, work) == ["perms.repaired-many", "perms.one-cause"]


def test_a_file_with_several_names_is_for_an_audit_to_judge(root: Path, film: Path, tmp_path: Path) -> None:
    os.link(film, root.parent / "outside.mkv")

    asked = at_bench(root, tmp_path, lambda bench: bench.check(film).asked)

    assert len(asked) == 1
    assert "several names" in asked[0]
    assert mode_of(film) == 0o600


def test_what_is_left_out_well_gone_or_no_media_is_left_alone(root: Path, film: Path, tmp_path: Path) -> None:
    make_file(root / "Show/film.part", 0o600)
    make_file(root / "incoming/film.mkv", 0o600)
    os.mkfifo(root / "pipe", 0o600)
    (root / "link.mkv").symlink_to("../outside.mkv")
    make_file(root.parent / "outside.mkv", 0o600)
    film.chmod(0o604)
    before = snapshot(root.parent)

    def work(bench: Bench) -> list[str]:
        names = ("Show/film.part", "incoming/film.mkv", "pipe", "link.mkv", "link.mkv/x", "gone.mkv", "gone/x", "Show/film.mkv/x")
        bench.check(film, *(root / name for name in names))
        return bench.told()

    told = at_bench(root, tmp_path, work, config=Config(excludes=("*.part", "incoming")))

    assert told == []
    assert snapshot(root.parent) == before
    assert list_runs(tmp_path / "runs") == []


def test_with_exact_single_places_are_closed_too(root: Path, film: Path, tmp_path: Path) -> None:
    film.chmod(0o666)

    at_bench(root, tmp_path, lambda bench: bench.check(film).told(), config=Config(policy="exact"))

    assert mode_of(film) == 0o644


def test_a_dry_run_tells_and_changes_nothing(root: Path, film: Path, tmp_path: Path) -> None:
    names = at_bench(root, tmp_path, lambda bench: bench.check(film).told(), config=Config(dry_run=True))

    assert names == ["perms.found"]
    assert mode_of(film) == 0o600
    assert list_runs(tmp_path / "runs") == []


@needs_mounts
@pytest.mark.parametrize("way", ["full", "no folder"])
def test_where_no_list_can_be_written_nothing_is_changed_and_that_is_told(root: Path, film: Path, tmp_path: Path, way: str) -> None:
    disk = make_folder(tmp_path / "disk")

    def work(bench: Bench) -> str:
        leave_mounts()
        mount("test", disk, "tmpfs", "size=8k,mode=0755")
        make_folder(disk / "runs") if way == "full" else make_file(disk / "runs")
        with contextlib.suppress(OSError):
            (disk / "ballast").write_bytes(bytes(1 << 20))
        bench.check(film)
        bench.mender.flush()
        return str(bench.journal.values("perms.not-repaired")["reason"])

    assert at_bench(root, disk, work).startswith("Failed to")
    assert mode_of(film) == 0o600


def test_a_root_that_is_gone_is_nobodys_error(root: Path, film: Path, tmp_path: Path) -> None:
    def work(bench: Bench) -> list[str]:
        root.rename(root.with_name("moved"))
        bench.check(film)
        return bench.told()

    assert at_bench(root, tmp_path, work) == []


def test_nothing_is_held_open_between_two_checks(root: Path, film: Path, tmp_path: Path) -> None:
    def work(bench: Bench) -> tuple[list[str], list[str]]:
        bench.check(film)
        before = sorted(os.listdir("/proc/self/fd"))
        make_folder(root / "New", 0o700)
        bench.check(film, root / "New", root)
        return before, sorted(os.listdir("/proc/self/fd"))

    before, after = at_bench(root, tmp_path, work)

    assert after == before


def test_a_service_that_goes_on_for_long_has_a_list_a_day(root: Path, film: Path, tmp_path: Path) -> None:
    def work(bench: Bench) -> tuple[str, str]:
        bench.check(film)
        first = bench.runs.run
        bench.clock.pass_time(86_401)
        bench.mender.flush()
        film.chmod(0o600)
        bench.check(film)
        return first, str(bench.journal.sent[-1][1]["run"])

    first, second = at_bench(root, tmp_path, work)

    assert first != second
    assert list_runs(tmp_path / "runs") == sorted([first, second])
