"""What others read of a state is what its own program writes, so that a field that is renamed breaks a test and no page."""

import dataclasses
import enum
import json
import types
import typing
from pathlib import Path

import pytest

from plexguard.cloud_run.life import state as cloud_run
from plexguard.core import published
from plexguard.core.published import Lines, Source
from plexguard.log_watch import act as log_watch
from plexguard.net_recover import __main__ as net_recover
from plexguard.net_recover import decide as net_decide
from plexguard.net_recover.reboot import decide as reboot
from plexguard.perms_audit import state as perms_audit
from plexguard.plex_probe import __main__ as plex_probe
from plexguard.plex_probe import decide as probe_decide
from plexguard.plex_probe.restart import decide as restart
from plexguard.rclone_watchdog import decide as mount_decide
from plexguard.rclone_watchdog import watch as mount_watch
from plexguard.rclone_watchdog.protect import decide as protect_decide
from plexguard.rclone_watchdog.protect import record as protect
from plexguard.rclone_watchdog.trash import act as trash
from plexguard.rclone_watchdog.trash import decide as trash_decide
from plexguard.speed_test import __main__ as speed_test
from plexguard.speed_test import decide as speed_decide
from plexguard.speed_test.result import Record

OWNERS: dict[str, tuple[Source[typing.Any], type, int]] = {
    "cloud runs": (published.CLOUD_RUNS, cloud_run.State, cloud_run.SCHEMA),
    "probe": (published.PROBE, probe_decide.State, plex_probe.STATE_SCHEMA),
    "restarts": (published.RESTARTS, restart.Budget, plex_probe.STATE_SCHEMA),
    "network": (published.NETWORK, net_decide.State, net_recover.STATE_SCHEMA),
    "reboots": (published.REBOOTS, reboot.Budget, net_recover.STATE_SCHEMA),
    "speed": (published.SPEED, speed_decide.State, speed_test.STATE_SCHEMA),
    "audit": (published.AUDIT, perms_audit.State, perms_audit.STATE_SCHEMA),
    "mounts": (published.MOUNTS, mount_decide.State, mount_watch.STATE_SCHEMA),
    "hold": (published.HOLD, protect_decide.Hold, protect.SCHEMA),
    "trash": (published.TRASH, trash_decide.State, trash.STATE_SCHEMA),
    "logs": (published.LOGS, log_watch.State, log_watch.STATE_SCHEMA),
}


def find_misfits(shown: typing.Any, own: typing.Any, place: str) -> list[str]:
    """Return where a published type is not what the owner writes. An owner's Enum is published as its text."""
    if shown == own or (shown is str and isinstance(own, type) and issubclass(own, enum.Enum)):
        return []
    if dataclasses.is_dataclass(shown) and dataclasses.is_dataclass(own):
        ours, theirs = typing.get_type_hints(shown), typing.get_type_hints(own)
        return [
            misfit
            for name, kind in ours.items()
            for misfit in ([f"{place}.{name}: gone"] if name not in theirs else find_misfits(kind, theirs[name], f"{place}.{name}"))
        ]
    origins = [types.UnionType if typing.get_origin(kind) is typing.Union else typing.get_origin(kind) for kind in (shown, own)]
    if origins[0] is not None and origins[0] == origins[1]:
        pairs = zip(typing.get_args(shown), typing.get_args(own), strict=True)
        return [misfit for ours, theirs in pairs for misfit in find_misfits(ours, theirs, place)]
    return [f"{place}: {shown} is not {own}"]


@pytest.mark.parametrize("name", OWNERS)
def test_what_is_published_is_what_the_program_writes(name: str) -> None:
    source, own, schema = OWNERS[name]

    assert find_misfits(source.record, own, name) == []
    assert source.schema == schema


def test_a_line_of_the_speed_history_is_what_the_program_writes() -> None:
    assert find_misfits(published.SPEED_LINES.record, Record, "line") == []


def test_every_published_record_of_a_program_that_is_there_is_compared() -> None:
    later = (published.BACKUPS,)
    shared = (published.PLEX, published.CONTAINER, published.UNREADABLE, published.NOTIFY, published.PROXY)
    files = {value.file for value in vars(published).values() if isinstance(value, Source)}

    assert files - {source.file for source in (*later, *shared)} == {source.file for source, _, _ in OWNERS.values()}


def test_a_renamed_field_is_a_misfit() -> None:
    @dataclasses.dataclass
    class Own:
        detail: int

    @dataclasses.dataclass
    class Shown:
        detail: str
        level: str

    assert len(find_misfits(Shown, Own, "own")) == 2


# -- reading ----------------------------------------------------------------------------------------------------------


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_state_that_is_not_there_gives_nothing_and_no_reason(tmp_path: Path) -> None:
    assert published.PROBE.look(tmp_path) == published.Reading(record=None)


@pytest.mark.parametrize("text", ["", "{", '{"schema": 2, "verdict": "healthy"}', '{"schema": 1, "verdict": 7}'])
def test_a_state_that_cannot_be_used_gives_the_reason(tmp_path: Path, text: str) -> None:
    write(tmp_path / published.PROBE.file, text)

    reading = published.PROBE.look(tmp_path)

    assert reading.record is None
    assert str(tmp_path) in reading.why


def test_what_a_program_adds_to_its_state_is_left_to_it(tmp_path: Path) -> None:
    write(tmp_path / published.PROBE.file, json.dumps({"schema": 1, "verdict": "hung", "new": {"of": "another version"}}))

    assert published.PROBE.read(tmp_path) == published.ProbeSeen(verdict="hung")


def test_each_thing_of_a_kind_has_its_own_state(tmp_path: Path) -> None:
    for name in ("films", "music"):
        write(
            tmp_path / "rclone-watchdog" / name / "state.json",
            json.dumps({"schema": 1, "path": f"/mnt/{name}", "verdict": "proven"}),
        )
    (tmp_path / "rclone-watchdog" / "empty").mkdir()

    found = dict(published.MOUNTS.look_each(tmp_path))

    assert found["films"].record == published.MountSeen(path="/mnt/films", verdict="proven")
    assert found["empty"] == published.Reading(record=None)
    assert list(found) == ["empty", "films", "music"]


def test_no_folder_is_no_thing(tmp_path: Path) -> None:
    assert dict(published.BACKUPS.look_each(tmp_path)) == {}


def test_a_history_is_read_line_by_line(tmp_path: Path) -> None:
    lines = Lines(file="speed-test/history.jsonl", record=published.SpeedLine)
    write(tmp_path / lines.file, '{"time": "2026-03-01T02:00:00+00:00", "day": "2026-03-01", "failure": "no answer"}\n{"torn\n')

    assert [line.failure for line in lines.read(tmp_path)] == ["no answer"]


def test_what_the_disk_did_not_take_is_what_is_shown(tmp_path: Path) -> None:
    source = dataclasses.replace(published.HOLD, spare=tmp_path / "memory.json")
    (tmp_path / "plex-hold").mkdir()
    (tmp_path / source.file).write_text('{"schema": 1, "failed": "on disk"}')
    assert source.read(tmp_path) == published.HoldSeen(failed="on disk")
    (tmp_path / "memory.json").write_text('{"schema": 1, "failed": "in memory"}')
    assert source.read(tmp_path) == published.HoldSeen(failed="in memory")
