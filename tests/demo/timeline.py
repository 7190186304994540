"""An incident as a picture: what was so on a time line, and what was told below it. Drawn from the journal's events alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from tests.machine import Machine

PICTURE = Path(__file__).parents[2] / "build/incident.svg"
_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _LINE = 960, 110, 30, 64, 34, 22
_COLOURS = {"well": "#2f7d5b", "fault": "#b3392f", "shut": "#c98a1b"}
_MOST_LETTERS = 118
# Whose line in the journal tells when the fault began.
_MARK = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """at_s: since the fault."""

    at_s: float
    event: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """How something was, from one moment to another. end_s: None for to the end of the picture. says: in it."""

    begin_s: float
    end_s: float | None
    kind: str
    says: str = ""


def mark_fault(machine: Machine, what: str) -> None:
    machine.run(["logger", "--tag", _MARK, what])


def read_told(machine: Machine, since_cursor: str) -> list[Told]:
    """Return the events since a cursor, oldest first. The fault was marked."""
    fault_us = int(machine.journal(matches=[f"SYSLOG_IDENTIFIER={_MARK}"], since_cursor=since_cursor)[-1]["__REALTIME_TIMESTAMP"])
    entries = machine.journal(matches=["PLEXGUARD=1"], since_cursor=since_cursor)
    return [
        Told(
            at_s=(int(entry["__REALTIME_TIMESTAMP"]) - fault_us) / 1e6,
            event=entry["PLEXGUARD_EVENT"],
            message=entry["MESSAGE"],
        )
        for entry in entries
    ]


def draw_hang(told: Sequence[Told], file: Path) -> None:
    """Draw a hang of Plex. Raises AssertionError where an event is missing that makes it one."""
    wanted = (
        "plex.hung",
        "plex.restart-asked",
        "plex.restarting",
        "plex.restarted",
        "plex.recovered",
        "proxy.opened",
        "proxy.closed",
    )
    first = {name: next((one for one in told if one.event == name), None) for name in wanted}
    missing = [name for name, one in first.items() if one is None]
    if missing:
        raise AssertionError(f"no picture of it: {', '.join(missing)} was not told")
    shown = sorted((one for one in first.values() if one is not None), key=lambda one: one.at_s)
    at = {one.event: one.at_s for one in shown}
    rows = {
        "Plex": (
            Band(begin_s=0, end_s=at["plex.recovered"], kind="fault", says="hangs"),
            Band(begin_s=at["plex.recovered"], end_s=None, kind="well", says="answers"),
        ),
        "front door": (
            Band(begin_s=0, end_s=at["proxy.opened"], kind="well"),
            Band(
                begin_s=at["proxy.opened"],
                end_s=at["proxy.closed"],
                kind="shut",
                says="an honest answer at once, pictures from memory",
            ),
            Band(begin_s=at["proxy.closed"], end_s=None, kind="well"),
        ),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_draw("Plex hangs, and nobody is at home", rows, shown), encoding="utf-8")


def _draw(title: str, rows: dict[str, tuple[Band, ...]], shown: Sequence[Told]) -> str:
    span_s = max(one.at_s for one in shown) * 1.06
    below = _TOP + len(rows) * _ROW + 48
    height = below + len(shown) * _LINE + 18
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{height}" rx="8" fill="#fff" stroke="#d5d9e0"/>',
        f'<text x="20" y="34" font-size="17" font-weight="bold" fill="#1d2433">{escape(title)}</text>',
    ]
    for number, (name, bands) in enumerate(rows.items()):
        y = _TOP + number * _ROW
        parts.append(f'<text x="20" y="{y + 15}" fill="#1d2433">{escape(name)}</text>')
        for band in bands:
            begin, end = _x(band.begin_s, span_s), _x(span_s if band.end_s is None else band.end_s, span_s)
            parts.append(f'<rect x="{begin:.1f}" y="{y}" width="{end - begin:.1f}" height="20" fill="{_COLOURS[band.kind]}"/>')
            parts.append(f'<text x="{begin + 8:.1f}" y="{y + 15}" fill="#fff">{escape(band.says)}</text>')
    foot = _TOP + len(rows) * _ROW
    for number, one in enumerate(shown):
        x, y = _x(one.at_s, span_s), below + number * _LINE
        parts.append(f'<path d="M{x:.1f} {_TOP - 6}V{foot}" stroke="#1d2433" stroke-width="1"/>')
        parts.append(f'<text x="64" y="{y}" fill="#5b6475" text-anchor="end">{one.at_s:.1f} s</text>')
        parts.append(f'<text x="76" y="{y}" fill="#1d2433">{escape(_cut(one.message))}</text>')
    for tick in range(0, int(span_s) + 1, 10):
        parts.append(f'<text x="{_x(tick, span_s):.1f}" y="{foot + 16}" fill="#5b6475" text-anchor="middle">{tick} s</text>')
    return "\n".join((*parts, "</svg>\n"))


def _x(at_s: float, span_s: float) -> float:
    return _LEFT + max(0.0, at_s) / span_s * (_WIDTH - _LEFT - _RIGHT)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…"
