"""Which mounts are guarded, and which of them are not proven, by what the watchdog has published."""

import json
from pathlib import Path

import pytest

from plexguard.core.clock import Moment
from plexguard.core.config import read
from plexguard.core.guarded import FRESH_S, Guarded, Unproven, find_fault_since, find_mount_points, look, read_guarded
from plexguard.core.mounts import MountPoint
from plexguard.core.published import MOUNTS, MountSeen
from plexguard.core.state import StateFile
from tests.fakes.ports import FakeClock, FakeJournal

POINT = "/mnt/media"


def publish(
    root: Path,
    clock: FakeClock,
    verdict: str = "proven",
    *,
    path: str = POINT,
    name: str = "media",
    detail: str = "",
    fault_at: Moment | None = None,
) -> None:
    file = root / MOUNTS.file.replace("*", name)
    file.parent.mkdir(parents=True, exist_ok=True)
    at = clock.moment()
    fault = "hung" if fault_at is not None else ""
    seen = MountSeen(path=path, verdict=verdict, detail=detail, checked=at, since=at, fault=fault, fault_at=fault_at)
    StateFile(file, MountSeen, schema=MOUNTS.schema, journal=FakeJournal()).save(seen)


def find(root: Path, clock: FakeClock) -> Unproven | None:
    return look({"media": POINT}, clock.moment(), root).find_unproven(POINT)


@pytest.mark.parametrize("verdict", ["proven", "slow"])
def test_a_mount_that_the_watchdog_says_is_alive_is_none_of_the_unproven(tmp_path: Path, verdict: str) -> None:
    publish(tmp_path, clock := FakeClock(), verdict)

    assert find(tmp_path, clock) is None


@pytest.mark.parametrize("verdict", ["hung", "stale", "degraded", "refusing", "empty", "foreign", "absent", "unknown"])
def test_any_other_word_of_its_is_told_with_its_reason(tmp_path: Path, verdict: str) -> None:
    publish(tmp_path, clock := FakeClock(), verdict, detail="no answer for 12 s")

    found = find(tmp_path, clock)

    assert found is not None
    assert (found.name, found.verdict, found.why, found.since) == (
        "media",
        verdict,
        f"{verdict}: no answer for 12 s",
        clock.moment(),
    )


def test_a_watchdog_that_says_nothing_any_more_proves_nothing(tmp_path: Path) -> None:
    publish(tmp_path, clock := FakeClock())

    clock.pass_time(FRESH_S + 1)

    assert find(tmp_path, clock) is not None


def test_what_was_proven_before_the_machine_was_started_is_not_proven_now(tmp_path: Path) -> None:
    publish(tmp_path, clock := FakeClock())

    clock.reboot(down_s=5)

    assert find(tmp_path, clock) is not None


def test_a_watchdog_of_another_place_proves_nothing_of_this_one(tmp_path: Path) -> None:
    publish(tmp_path, clock := FakeClock(), path="/mnt/old")

    assert find(tmp_path, clock) is not None


@pytest.mark.parametrize("text", [None, "", "{", json.dumps({"schema": 99, "path": POINT, "verdict": "proven"})])
def test_a_state_that_is_not_there_or_makes_no_sense_proves_nothing(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / MOUNTS.file.replace("*", "media")
    file.parent.mkdir(parents=True)
    if text is not None:
        file.write_text(text)

    assert find(tmp_path, FakeClock()) is not None


def test_a_mount_that_nobody_watches_is_left_to_the_mount_table(tmp_path: Path) -> None:
    publish(tmp_path, clock := FakeClock(), "hung", name="other")

    assert find(tmp_path, clock) is None


def test_mount_points_are_known_whatever_else_of_their_section_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "plexguard.toml"
    file.write_text(
        '[rclone.media]\nmount_point = "/mnt//media/"\nremote = 7\nnonsense = true\n'
        '[rclone.far]\nmount_point = "far"\n[rclone.none]\nremote = "s3:x"\n[rclonex.y]\nmount_point = "/x"\n'
    )

    assert find_mount_points(read(file, {})) == {"media": POINT}
    assert read_guarded(file, FakeClock().moment(), tmp_path).mount_points == {"media": POINT}


def test_a_path_belongs_to_the_innermost_mount_and_to_none_beside_it() -> None:
    guarded = Guarded(mount_points={"a": "/mnt/a", "b": "/mnt/a/b"})

    assert [guarded.find(path) for path in ("/mnt/a/x", "/mnt/a/b", "/mnt/a/b/x", "/mnt/ab", "/mnt")] == [
        "/mnt/a",
        "/mnt/a/b",
        "/mnt/a/b",
        "",
        "",
    ]
    assert guarded.find_below("/mnt/a") == ("/mnt/a/b",)


@pytest.mark.parametrize(
    ("folder", "concerned"),
    [("/mnt/media/films", True), ("/mnt", True), (POINT, True), ("/mnt/mediaserver", False), ("/srv", False)],
)
def test_folders_on_it_and_those_that_hold_it_are_concerned(folder: str, concerned: bool) -> None:
    dead = Unproven(name="media", mount_point=POINT, verdict="hung", why="hung")
    guarded = Guarded(mount_points={"media": POINT}, unproven=(dead,))

    assert guarded.find_unproven_for([folder]) == ((dead,) if concerned else ())


def test_a_cover_is_no_mount_and_other_memory_is() -> None:
    guarded = Guarded(mount_points={"media": POINT})
    cover, memory = MountPoint(path=POINT, type="tmpfs"), MountPoint(path="/tmp", type="tmpfs")

    assert guarded.without_covers((cover, memory)) == (memory,)


def test_fault_that_is_over_is_told_to_who_asks_since_before_it(tmp_path: Path) -> None:
    clock = FakeClock()
    before = clock.moment()
    clock.pass_time(5)
    publish(tmp_path, clock, fault_at=clock.moment())
    clock.pass_time(5)

    assert find(tmp_path, clock) is None
    assert find_fault_since("media", before, tmp_path) == "hung"
    assert find_fault_since("media", clock.moment(), tmp_path) == ""
    assert find_fault_since("other", before, tmp_path) == ""
