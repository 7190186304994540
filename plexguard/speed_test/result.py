"""The result of a test, from the JSON that a command prints: that of speedtest-cli, or of Ookla's own speedtest.

What is not understood is refused: both print figures for tests that never took place.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from plexguard.core.errors import DataError
from plexguard.core.events import show_path

# A terabit; nobody's line is faster.
_MAX_BIT_PER_S = 1e12
# speedtest-cli takes an answer that never came for one of an hour, and goes on.
_MAX_PING_MS = 60_000.0
_MAX_NAME = 200
# Of a result that the command kept from an earlier test.
_MAX_AGE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured. upload_bit_per_s: 0 when only the download was. data_bytes: how much data that took, None when the
    command does not tell."""

    download_bit_per_s: float
    upload_bit_per_s: float
    ping_ms: float
    server: str
    data_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A line of the history. day: that it was counted for. failure: why there is no result."""

    time: datetime
    day: str
    result: Result | None = None
    failure: str = ""


def parse_result(text: str, *, began: datetime) -> Result:
    """Return the result that a command printed. began: when it was started. Raises DataError."""
    data = _parse_json(text)
    stamp = _parse_time(_take(data, "timestamp", str))
    if stamp < began - _MAX_AGE:
        raise DataError(f"it is the result of an earlier test, of {stamp:%Y-%m-%d %H:%M} UTC")
    result = _from_ookla(data) if isinstance(data.get("download"), dict) else _from_speedtest_cli(data)
    if not result.download_bit_per_s:
        # What speedtest-cli says, and ends well, when every request was refused.
        raise DataError("nothing was downloaded")
    return result


def _from_speedtest_cli(data: dict[str, Any]) -> Result:
    server = _take(data, "server", dict)
    sponsor, name = _take_text(server, "sponsor"), _take_text(server, "name")
    return Result(
        download_bit_per_s=_take_number(data, "download", _MAX_BIT_PER_S),
        upload_bit_per_s=_take_number(data, "upload", _MAX_BIT_PER_S),
        ping_ms=_take_number(data, "ping", _MAX_PING_MS),
        server=f"{sponsor} ({name})",
        data_bytes=_add_bytes((data, "bytes_received"), (data, "bytes_sent")),
    )


def _from_ookla(data: dict[str, Any]) -> Result:
    """Its bandwidths are bytes in a second."""
    download, upload = _take(data, "download", dict), _take(data, "upload", dict)
    server = _take(data, "server", dict)
    return Result(
        download_bit_per_s=8 * _take_number(download, "bandwidth", _MAX_BIT_PER_S / 8),
        upload_bit_per_s=8 * _take_number(upload, "bandwidth", _MAX_BIT_PER_S / 8),
        ping_ms=_take_number(_take(data, "ping", dict), "latency", _MAX_PING_MS),
        server=f"{_take_text(server, 'name')} ({_take_text(server, 'location')})",
        data_bytes=_add_bytes((download, "bytes"), (upload, "bytes")),
    )


def _parse_json(text: str) -> dict[str, Any]:
    """Return the object that the text is, or that its last line is: Ookla's command writes its log above it."""
    if not text.strip():
        raise DataError("it printed nothing")
    for part in (text, text.strip().splitlines()[-1]):
        try:
            data = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(data, dict):
            return data
    raise DataError(f'it printed no JSON object: "{show_path(text.strip()[:80])}"')


def _take(data: dict[str, Any], key: str, kind: type) -> Any:
    value = data.get(key)
    if not isinstance(value, kind):
        raise DataError(f"{key}: {'missing' if value is None else 'of the wrong kind'}")
    return value


def _take_text(data: dict[str, Any], key: str) -> str:
    return " ".join(_take(data, key, str).split())[:_MAX_NAME]


def _take_number(data: dict[str, Any], key: str, most: float) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{key}: {'missing' if value is None else 'not a number'}")
    # NaN, which JSON as Python reads it may hold, is within no bounds.
    if not 0 <= value <= most:
        raise DataError(f"{key}: {str(value)[:40]} is not within 0 and {most:g}")
    return float(value)


def _add_bytes(*places: tuple[dict[str, Any], str]) -> int | None:
    """Return the sum of what is there; how much data was used is told by the way, and no reason to refuse a result."""
    values = [data.get(key) for data, key in places]
    good = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**50]
    return sum(good) if len(good) == len(values) else None


def _parse_time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # no time; one beyond the calendar
        raise DataError(f'timestamp: "{show_path(text[:40])}" is no time') from error
