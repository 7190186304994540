"""The result of a command: what is understood, and that everything else is refused with a reason."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.errors import DataError
from plexguard.core.records import decode, encode
from plexguard.speed_test.result import Record, Result, parse_result
from tests.fakes.ports import BEGIN
from tests.unit.speed_test.samples import OOKLA, SPEEDTEST_CLI, changed, record


def test_the_output_of_speedtest_cli_is_understood() -> None:
    assert parse_result(json.dumps(SPEEDTEST_CLI) + "\n", began=BEGIN) == Result(
        download_bit_per_s=93412345.6,
        upload_bit_per_s=20100200.3,
        ping_ms=12.345,
        server="Example Networks (New York, NY)",
        data_bytes=142_694_800,
    )


def test_the_output_of_ooklas_command_is_understood_and_its_bytes_become_bits() -> None:
    log = '{"type":"log","timestamp":"2026-03-01T12:00:01Z","message":"slow","level":"warning"}\n'

    assert parse_result(log + json.dumps(OOKLA), began=BEGIN) == Result(
        download_bit_per_s=94e6,
        upload_bit_per_s=20e6,
        ping_ms=8.25,
        server="Example Networks (New York, NY)",
        data_bytes=150_000_000,
    )
    assert parse_result(json.dumps(OOKLA, indent=4), began=BEGIN).ping_ms == 8.25


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "printed nothing"),
        ("  \n", "printed nothing"),
        ("Download: 93 Mbit/s", 'no JSON object: "Download: 93 Mbit/s"'),
        ("[]", "no JSON object"),
        ("{", "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ("{}", "timestamp: missing"),
        (changed(SPEEDTEST_CLI, download=None), "download: missing"),
        (changed(SPEEDTEST_CLI, upload=None), "upload: missing"),
        (changed(SPEEDTEST_CLI, ping=None), "ping: missing"),
        (changed(SPEEDTEST_CLI, server=None), "server: missing"),
        (changed(SPEEDTEST_CLI, server__sponsor=None), "sponsor: missing"),
        (changed(SPEEDTEST_CLI, server__name=5), "name: of the wrong kind"),
        (changed(SPEEDTEST_CLI, download="93"), "download: not a number"),
        (changed(SPEEDTEST_CLI, download=True), "download: not a number"),
        (changed(SPEEDTEST_CLI, download=-1), "download: -1 is not within"),
        (changed(SPEEDTEST_CLI, download=float("nan")), "download: nan is not within"),
        (changed(SPEEDTEST_CLI, upload=float("inf")), "upload: inf is not within"),
        (changed(SPEEDTEST_CLI, upload=10**400), "upload: 1000"),
        (changed(SPEEDTEST_CLI, download=2e12), "download: 2000000000000.0 is not within"),
        (changed(SPEEDTEST_CLI, ping=1_800_000.0), "ping: 1800000.0 is not within 0 and 60000"),
        (changed(SPEEDTEST_CLI, download=0.0), "nothing was downloaded"),
        (changed(SPEEDTEST_CLI, timestamp="soon"), 'timestamp: "soon" is no time'),
        (changed(SPEEDTEST_CLI, timestamp=5), "timestamp: of the wrong kind"),
        (changed(SPEEDTEST_CLI, timestamp="0001-01-01T00:00:00+14:00"), "is no time"),
        (changed(SPEEDTEST_CLI, timestamp="2026-02-28T12:00:00Z"), "an earlier test, of 2026-02-28 12:00 UTC"),
        (changed(OOKLA, download__bandwidth=None), "bandwidth: missing"),
        (changed(OOKLA, upload="fast"), "upload: of the wrong kind"),
        (changed(OOKLA, ping={"latency": None}), "latency: missing"),
        (changed(OOKLA, download__bandwidth=2e11), "bandwidth: 2"),
        (changed(OOKLA, server__location=None), "location: missing"),
    ],
    ids=lambda value: value[:40],
)
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(DataError) as told:
        parse_result(text, began=BEGIN)

    assert reason in str(told.value)
    assert len(str(told.value)) < 200


def test_a_test_of_the_download_alone_is_a_result() -> None:
    assert parse_result(changed(SPEEDTEST_CLI, upload=0, bytes_sent=0), began=BEGIN).upload_bit_per_s == 0


@pytest.mark.parametrize("value", [None, "many", -1, 1.5, True, 2**60])
def test_a_result_is_one_without_the_amount_of_data_too(value: object) -> None:
    assert parse_result(changed(SPEEDTEST_CLI, bytes_sent=value), began=BEGIN).data_bytes is None


def test_a_time_without_a_zone_is_utc() -> None:
    stamp = (BEGIN + timedelta(seconds=20)).replace(tzinfo=None).isoformat()

    assert parse_result(changed(SPEEDTEST_CLI, timestamp=stamp), began=BEGIN).ping_ms == 12.345


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from([*SPEEDTEST_CLI, *OOKLA]), s),
    )
)
def test_no_output_makes_a_traceback(data: object) -> None:
    for text in (json.dumps(data), json.dumps({**SPEEDTEST_CLI, "server": data}), json.dumps({**OOKLA, "download": data})):
        try:
            parsed = parse_result(text, began=BEGIN)
        except DataError:
            continue
        assert parsed.download_bit_per_s > 0


def test_a_record_is_the_same_after_it_was_kept() -> None:
    kept = json.loads(json.dumps(encode(record())))

    assert decode(Record, kept) == record()
    assert kept["result"]["download_bit_per_s"] == 100e6
