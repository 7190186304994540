"""Put the overview before whoever asked: coloured on a terminal, plain elsewhere, as JSON for programs, once or again and again."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from plexguard.core.clock import Clock
from plexguard.core.events import show_path
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.records import encode
from plexguard.status.overview import Overview, State
from plexguard.status.show import WIDTH, Line, plain, render

if TYPE_CHECKING:  # 60 ms to import, for who has a terminal
    from rich.text import Text

_REFRESH_S = 2.0


def exit_code(healthy: bool, states: Iterable[State]) -> int:
    """Return 0 for healthy, 1 for a problem, 69 when there is none but not all is known."""
    if healthy:
        return 0
    return FOUND_PROBLEMS if State.PROBLEM in states else os.EX_UNAVAILABLE


def judge(overview: Overview) -> int:
    return exit_code(overview.healthy, (thing.state for thing in overview.things))


def has_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def print_lines(make_lines: Callable[[int], Iterable[Line]]) -> None:
    """Print lines that are made for a width. NO_COLOR is respected (no-color.org): rich does."""
    if not has_terminal():
        print(plain(make_lines(WIDTH)))
        return
    _open_console().print(paint(make_lines(shutil.get_terminal_size().columns)), soft_wrap=True)


def print_json(record: object, *, indent: int | None = 1) -> None:
    print(json.dumps(encode(record), indent=indent), flush=True)


def paint(lines: Iterable[Line]) -> "Text":
    """Return lines for rich, which takes no text of ours for markup or emoji codes."""
    from rich.text import Text

    return Text("\n", end="").join(Text.assemble(*((piece.text, piece.style) for piece in line)) for line in lines)


def _open_console() -> Any:
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, width=shutil.get_terminal_size().columns)


def watch(take: Callable[[], Overview], clock: Clock, *, output: str) -> int:
    """Show the overview again and again until Ctrl-C; return the exit code of the last one.

    On a terminal the screen is redrawn; anywhere else, each change of a thing is a line; as JSON, each overview is one.
    """
    overview = take()
    try:
        if output == "json":
            while True:
                print_json(overview, indent=None)
                clock.sleep(_REFRESH_S)
                overview = take()
        elif has_terminal():
            from rich.live import Live

            with Live(console=_open_console(), screen=True, auto_refresh=False) as live:
                while True:
                    live.update(paint(render(overview, width=shutil.get_terminal_size().columns)), refresh=True)
                    clock.sleep(_REFRESH_S)
                    overview = take()
        else:
            shown: dict[str, State] = {}
            while True:
                _print_changes(overview, shown)
                clock.sleep(_REFRESH_S)
                overview = take()
    except KeyboardInterrupt:
        return judge(overview)


def _print_changes(overview: Overview, shown: dict[str, State]) -> None:
    """Print a line for each thing whose state is another than it was. Ages in its words change all the time."""
    for thing in overview.things:
        if shown.get(thing.name) is not thing.state:
            shown[thing.name] = thing.state
            at = overview.at.astimezone()
            print(f"{at:%H:%M:%S} {show_path(thing.title)}: {thing.state.value}: {show_path(thing.summary)}", flush=True)
