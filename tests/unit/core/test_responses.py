"""The curve of response times: lines that are whole, in bounds, and there for a month."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.responses import MAX_BYTES, Response, append_response, before, read_responses

BEGAN = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
EVER = datetime(2020, 1, 1, tzinfo=UTC)


def response(number: int = 0, **changes: object) -> Response:
    fields = {"verdict": "healthy", "latencies": {"identity": 0.0021, "database": 0.0134}, **changes}
    return Response(at=int((BEGAN + timedelta(seconds=30 * number)).timestamp()), **fields)


def test_a_check_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "response.jsonl"
    hung = response(1, verdict="hung", failed="identity", latencies={})

    append_response(response(), file)
    append_response(hung, file)

    assert read_responses(EVER, file) == (response(), hung)


def test_others_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before_umask = os.umask(0o077)
    try:
        append_response(response(), tmp_path / "response.jsonl")
    finally:
        os.umask(before_umask)
    assert (tmp_path / "response.jsonl").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("cut", range(2, 80, 7))
def test_a_torn_line_takes_no_other_with_it(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "response.jsonl"
    append_response(response(), file)
    append_response(response(1), file)
    os.truncate(file, file.stat().st_size - cut)

    append_response(response(2), file)

    assert read_responses(EVER, file) == (response(), response(2))


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff",
        b"[]",
        b"{}",
        b'{"at": "x"}',
        b'{"at": 1e400, "verdict": "x"}',
        b'{"at": 99999999999999999, "verdict": "x"}',
        b"[" * 900,
        b'{"at": 1, "verdict": "x", "latencies": {"tcp": "slow"}}',
        b"x" * 2000,
    ],
)
def test_a_foreign_line_is_left_out(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "response.jsonl"
    append_response(response(), file)
    with file.open("ab") as opened:
        opened.write(line + b"\n")
    append_response(response(1), file)

    assert read_responses(EVER, file) == (response(), response(1))


@given(since=st.integers(0, 3000), count=st.integers(0, 3000))
def test_what_is_read_is_all_from_a_time_on(since: int, count: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "response.jsonl"
        lines = [
            json.dumps({"at": response(number).at, "verdict": "healthy", "latencies": {"x" * 40: 1.0}}) for number in range(count)
        ]
        file.write_text("".join(line + "\n" for line in lines))

        found = read_responses(BEGAN + timedelta(seconds=30 * since), file)

    assert [r.at for r in found] == [response(number).at for number in range(since, count)]


def test_it_keeps_the_file_before_and_no_more(tmp_path: Path) -> None:
    file = tmp_path / "response.jsonl"
    for number in range(100):
        append_response(response(number), file, max_bytes=1000)

    found = read_responses(EVER, file)

    assert found[-1] == response(99)
    assert [r.at for r in found] == [response(100 - len(found) + n).at for n in range(len(found))]
    assert 10 <= len(found) < 30
    assert sorted(path.name for path in tmp_path.iterdir()) == [file.name, before(file).name]
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())


def test_a_month_of_checks_fits(tmp_path: Path) -> None:
    file = tmp_path / "response.jsonl"
    append_response(response(), file)
    assert file.stat().st_size * 2880 * 30 <= 2 * MAX_BYTES


def test_nothing_to_read_gives_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    assert read_responses(EVER, tmp_path / "missing") == ()
    assert read_responses(EVER, tmp_path) == ()
    assert read_responses(EVER, tmp_path / "link") == ()
