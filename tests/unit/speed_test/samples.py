"""What the tests of the speed test share: outputs of commands, observations, times."""

import copy
import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from plexguard.core.plex import Session
from plexguard.speed_test.observe import Observation
from plexguard.speed_test.result import Record, Result

NEW_YORK = ZoneInfo("America/New_York")
STAMP = "2026-03-01T12:00:00.123456Z"

# As speedtest-cli 2.1.3 prints it.
SPEEDTEST_CLI: dict[str, Any] = {
    "download": 93412345.6,
    "upload": 20100200.3,
    "ping": 12.345,
    "server": {
        "url": "http://speed.example.net:8080/speedtest/upload.php",
        "lat": "40.7",
        "lon": "-74.0",
        "name": "New York, NY",
        "country": "United States",
        "cc": "US",
        "sponsor": "Example Networks",
        "id": "1234",
        "host": "speed.example.net:8080",
        "d": 4.2,
        "latency": 12.345,
    },
    "timestamp": STAMP,
    "bytes_sent": 25_690_112,
    "bytes_received": 117_004_688,
    "share": None,
    "client": {"ip": "192.0.2.1", "isp": "Example ISP"},
}
# As Ookla's own command prints it.
OOKLA: dict[str, Any] = {
    "type": "result",
    "timestamp": "2026-03-01T12:00:20Z",
    "ping": {"jitter": 0.5, "latency": 8.25, "low": 8.0, "high": 9.0},
    "download": {"bandwidth": 11_750_000, "bytes": 120_000_000, "elapsed": 10_000},
    "upload": {"bandwidth": 2_500_000, "bytes": 30_000_000, "elapsed": 10_000},
    "packetLoss": 0,
    "isp": "Example ISP",
    "server": {"id": 1234, "host": "speed.example.net", "port": 8080, "name": "Example Networks", "location": "New York, NY"},
}


def changed(sample: dict[str, Any], **values: Any) -> str:
    """Return a sample as text with values replaced; "server__name" goes one level deeper, and None takes a value out."""
    data = copy.deepcopy(sample)
    for path, value in values.items():
        *above, key = path.split("__")
        place = data[above[0]] if above else data
        if value is None:
            del place[key]
        else:
            place[key] = value
    return json.dumps(data)


FREE = Observation(command="/usr/bin/speedtest-cli")
VIEWER = Session(kind="movie", title="A", user="u", state="playing", key="1", player="tv")


def at(day: str, clock: str, zone: ZoneInfo = NEW_YORK, *, fold: int = 0) -> datetime:
    """Return a time of the wall clock of a zone, in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone, fold=fold).astimezone(UTC)


def result(download: float = 100e6, upload: float = 20e6) -> Result:
    return Result(download_bit_per_s=download, upload_bit_per_s=upload, ping_ms=10.0, server="Example (Here)")


def record(download: float = 100e6, upload: float = 20e6) -> Record:
    return Record(time=datetime(2026, 2, 1, tzinfo=UTC), day="2026-02-01", result=result(download, upload))


def failure() -> Record:
    return Record(time=datetime(2026, 2, 1, tzinfo=UTC), day="2026-02-01", failure="why")
