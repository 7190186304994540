"""The events on disk: what is written is there, what was torn is read again, what is too much goes."""

import json
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.notify.line import Line
from plexguard.notify.spool import Spool, SpoolReader, segments
from tests.unit.notify.lines import line


def opened(folder: Path, *, limit_bytes: int = 1 << 30, segment_bytes: int = 1000, begin: str = "begin") -> Spool:
    spool = Spool(folder, limit_bytes=limit_bytes, segment_bytes=segment_bytes)
    spool.open(lambda: begin)
    return spool


def lines_in(folder: Path, n: int = 1) -> list[Line]:
    return list(SpoolReader(folder).lines(n))


def test_first_start_keeps_where_it_begins(tmp_path: Path) -> None:
    assert opened(tmp_path, begin="first").cursor == "first"
    assert opened(tmp_path, begin="other").cursor == "first"


def test_events_come_back_as_they_were_over_many_segments(tmp_path: Path) -> None:
    lines = [line(n, message=f"a \n \u2028 {n} \udcff".encode("utf-8", "replace").decode(), about='"/a b"') for n in range(1, 101)]
    spool = opened(tmp_path)
    for start in range(0, 100, 3):
        spool.append(lines[start : start + 3])
    assert len(segments(tmp_path)) > 10
    assert lines_in(tmp_path) == lines
    assert lines_in(tmp_path, 42) == lines[41:]
    again = opened(tmp_path)
    assert (again.next, again.cursor) == (101, lines[-1].cursor)
    assert all(segment.stat().st_mode & 0o777 == 0o600 for segment in segments(tmp_path))


def test_reader_sees_what_is_added_and_half_of_nothing(tmp_path: Path) -> None:
    spool, reader = opened(tmp_path), SpoolReader(tmp_path)
    spool.append([line(1)])
    assert [x.n for x in reader.lines(1)] == [1]
    with open(segments(tmp_path)[0], "ab") as file:
        file.write(b'{"n": 2')
    assert [x.n for x in reader.lines(1)] == [1]
    spool.append([line(2), line(3)])
    assert [x.n for x in reader.lines(2)] == [2, 3]


def test_files_that_are_no_part_of_it_are_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).append([line(1)])
    for name in ("copy.jsonl", "000000000001 (copy).jsonl", "x.txt"):
        (tmp_path / name).write_text("{}\n")
    (tmp_path / "000000000000.jsonl").symlink_to("/dev/zero")
    (tmp_path / "000000000002.jsonl").mkdir()

    again = opened(tmp_path)

    assert (again.next, lines_in(tmp_path), again.drop(2)) == (2, [line(1)], 0)
    assert len(list(tmp_path.iterdir())) == 7


@pytest.mark.parametrize(
    "change", [{"fields": []}, {"fields": {"a": 1}}, {"downtime_s": "1"}, {"priority": 9}, {"at": 5}, {"n": "2"}, {"ends": 1}]
)
def test_line_that_is_no_event_is_left_out(tmp_path: Path, change: dict[str, object]) -> None:
    spool = opened(tmp_path, segment_bytes=1 << 20)
    spool.append([line(1), line(2), line(3)])
    (segment,) = segments(tmp_path)
    rows = segment.read_text().splitlines()
    rows[1] = json.dumps(json.loads(rows[1]) | change)
    segment.write_text("\n".join(rows) + "\n")

    again = opened(tmp_path)

    assert (again.next, [one.n for one in lines_in(tmp_path)]) == (4, [1, 3])


def test_every_torn_end_is_cut_off_and_the_place_in_the_journal_is_before_it(tmp_path: Path) -> None:
    spool = opened(tmp_path, segment_bytes=1 << 20)
    spool.append([line(1), line(2), line(3)])
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole)):
        segment.write_bytes(whole[:size])
        again = opened(tmp_path)
        kept = sum(end <= size for end in ends)
        assert (again.next, again.cursor) == ((kept + 1, line(kept).cursor) if kept else (1, "begin"))
        again.append([line(n) for n in range(kept + 1, 4)])
        assert [x.n for x in lines_in(tmp_path)] == [1, 2, 3]
        for file in segments(tmp_path):
            file.unlink()


@pytest.mark.parametrize("damage", [b"\x00" * 40 + b"\n", b"{}\n", b"[]\n", b'{"n": "x"}\n', b"[" * 5000 + b"\n"])
def test_damaged_line_in_the_middle_is_left_out(tmp_path: Path, damage: bytes) -> None:
    spool = opened(tmp_path, segment_bytes=1 << 20)
    spool.append([line(1), line(2), line(3)])
    (segment,) = segments(tmp_path)
    rows = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(rows[0] + damage + rows[2])
    assert [x.n for x in lines_in(tmp_path)] == [1, 3]
    assert opened(tmp_path).next == 4


def test_segments_that_all_have_passed_go_but_the_last(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    for n in range(1, 31):
        spool.append([line(n)])
    assert spool.drop(31) == 0
    (last,) = segments(tmp_path)
    assert opened(tmp_path).next == 31
    assert lines_in(tmp_path)[-1].n == 30 and last.exists()


def test_beyond_the_limit_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path, limit_bytes=5000)
    for n in range(1, 101):
        spool.append([line(n)])
    dropped = spool.drop(1)
    left = lines_in(tmp_path)
    assert dropped == left[0].n - 1 > 50
    assert sum(segment.stat().st_size for segment in segments(tmp_path)) <= 5000
    assert left[-1].n == 100
    assert spool.drop(1) == 0


def test_full_disk_keeps_nothing_of_a_batch_and_a_later_try_goes_on(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.append([line(1)])
    (segment,) = segments(tmp_path)
    aside = segment.with_suffix(".aside")
    segment.rename(aside)
    segment.symlink_to("/dev/full")
    with pytest.raises(IoFailed):
        spool.append([line(2)])
    segment.unlink()
    aside.rename(segment)
    assert (spool.next, spool.cursor) == (2, line(1).cursor)
    spool.append([line(2)])
    assert [x.n for x in lines_in(tmp_path)] == [1, 2]


def test_hundred_thousand_events_fit_into_the_default(tmp_path: Path) -> None:
    from plexguard.notify.config import Config
    from plexguard.notify.events import CHANNEL_FAILED
    from tests.unit.notify.test_line import told_of

    spool = opened(tmp_path)
    made = told_of(CHANNEL_FAILED, channel="airtable", reason="api.airtable.com: no answer within 15 s")
    spool.append([made])
    assert segments(tmp_path)[0].stat().st_size * 100_000 <= Config().spool_limit
