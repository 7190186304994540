"""Time spans and sizes as systemd writes them, for people and for unit files; and amounts of bytes in words."""

import re
from datetime import timedelta

_UNITS_S = {
    **dict.fromkeys(("us", "usec", "µs"), 1e-6),
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604800.0),
}
_SPAN_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zµ]*)\s*", re.ASCII)


def parse_span(value: object) -> timedelta:
    """Parse a time span as systemd.time(7) writes it: "90s", "15min", "1h 30min", a bare number is seconds.

    Raises ValueError. Months and years are left out: they have no fixed length.
    """
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or len(text) > 100:
        raise ValueError
    seconds, place = 0.0, 0
    while place < len(text):
        part = _SPAN_PART.match(text, place)
        if part is None or part[2] not in _UNITS_S:
            raise ValueError
        seconds, place = seconds + float(part[1]) * _UNITS_S[part[2]], part.end()
    if seconds > timedelta(days=36500).total_seconds():
        raise ValueError
    return timedelta(seconds=seconds)


def show_span(span: timedelta) -> str:
    """Return a span as systemd writes it: "1h 30min", "90ms"."""
    total_ms = round(span.total_seconds() * 1000)
    parts = []
    for name, size in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1000), ("ms", 1)):
        amount, total_ms = divmod(total_ms, size)
        if amount:
            parts.append(f"{amount}{name}")
    return " ".join(parts) or "0s"


_SIZE = re.compile(r"(\d{1,12})([KMGT]?)", re.ASCII)
_SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def parse_size(value: object) -> int:
    """Parse a size as systemd writes it, to the base of 1024: "100M", "20G", a bare number is bytes. Raises ValueError."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError
    return int(found[1]) * _SIZE_UNITS[found[2]]


def show_size(size_bytes: int) -> str:
    """Return a size as systemd writes it: "100M"."""
    units = [name for name, unit in _SIZE_UNITS.items() if size_bytes and size_bytes % unit == 0]
    name = units[-1] if units else ""
    return f"{size_bytes // _SIZE_UNITS[name]}{name}"


_BYTES = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def show_bytes(size_bytes: float) -> str:
    """Return an amount of bytes in words, to the base of 1000 as disks are sold and as the status page has it: "3.1 GB"."""
    power = 0
    # What rounding would make 1000 of one unit is 1 of the next.
    while size_bytes >= 999.5 and power < len(_BYTES) - 1:
        size_bytes, power = size_bytes / 1000, power + 1
    return f"{size_bytes:.{1 if power and size_bytes < 9.95 else 0}f} {_BYTES[power]}"
