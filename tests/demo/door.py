"""A hang of Plex as two viewers meet it at the same time: one asks Plex itself, the other the front door."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.demo.show import Show
from tests.demo.timeline import PICTURE, draw_hang, read_told
from tests.machine import Machine
from tests.system.conftest import await_event
from tests.system.native_plex import DOOR, TOKEN, URL, ask_plex

_BREAKER = "plexguard-proxy-breaker.service"
_LIST = "/library/sections/1/all"
# An application that has no limit of its own gives up when the proxy before it does: after a minute.
_PATIENCE_S = 60
_PAUSE_S = 2.0
_REMEMBERED = "from memory"
_QUICK = '[proxy]\nopen_for = "15s"\n'
_WIDTH = 44
_FORMAT = "\n%{http_code} %{time_total} %header{retry-after} %header{plexguard-cache}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a viewer got. at_s: since the viewers began to ask. status: 0 for none. more: answers of the same kind that followed it,
    the slowest of which took slowest_s."""

    at_s: float
    asked: str
    status: int
    took_s: float
    says: str
    more: int = 0
    slowest_s: float = 0.0

    def is_like(self, other: "Answer") -> bool:
        return (self.asked, self.status, self.is_remembered) == (other.asked, other.status, other.is_remembered)

    @property
    def is_remembered(self) -> bool:
        return self.says == _REMEMBERED


class Viewer:
    """Asks for the list of films and for a poster by turns, until told to stop."""

    def __init__(self, machine: Machine, base: str, poster: str, began: float) -> None:
        self._machine, self._base, self._began = machine, base, began
        self._wants = (("films", _LIST), ("poster", poster))
        self.answers: list[Answer] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.is_set():
            for name, path in self._wants:
                self.answers.append(self._ask(name, path))
            self._ends.wait(_PAUSE_S)

    def _ask(self, name: str, path: str) -> Answer:
        headers = ("-H", f"X-Plex-Token: {TOKEN}", "-H", "Accept: application/json")
        argv = ["curl", "-sS", "--max-time", str(_PATIENCE_S), "-w", _FORMAT, *headers, self._base + path]
        body, _, told = self._machine.run(argv, check=False, timeout_s=_PATIENCE_S + 30).stdout.rpartition("\n")
        status, took_s, *headed = told.split()
        says = _REMEMBERED if "hit" in headed else json.loads(body)["message"] if status in ("503", "504") else ""
        wait = f", come again in {headed[0]} s" if status in ("503", "504") and headed else ""
        now_s = time.monotonic() - self._began
        return Answer(at_s=now_s, asked=name, status=int(status), took_s=float(took_s), says=says + wait)


class Viewers:
    """Two of them, side by side, while something else is played."""

    def __init__(self) -> None:
        self._since = ""
        self._direct: Viewer | None = None
        self._guarded: Viewer | None = None

    def watching(self, scene: Callable[[Machine, Show], str]) -> Callable[[Machine, Show], str]:
        def play(machine: Machine, show: Show) -> str:
            show.say("two viewers watch all the time: one asks Plex itself, the other the front door; its breaker is quick here:")
            machine.write("/etc/plexguard/plexguard.toml.d/70-door.toml", _QUICK)
            show.command("cat", "/etc/plexguard/plexguard.toml.d/70-door.toml")
            show.command("plexguard-status", "apply")
            self._begin(machine)
            return scene(machine, show)

        return play

    def _begin(self, machine: Machine) -> None:
        films = ask_plex(machine, _LIST)
        assert films is not None
        poster = str(films["Metadata"][0]["thumb"])  # type: ignore[index]
        self._since, began = machine.cursor(), time.monotonic()
        self._direct, self._guarded = (Viewer(machine, base, poster, began) for base in (URL, DOOR))

    def compare(self, machine: Machine, show: Show) -> str:
        assert self._direct is not None and self._guarded is not None
        await_event(machine, "proxy.closed", timeout_s=60, since_cursor=self._since)
        viewers = (self._direct, self._guarded)
        # Each comes again when he has been told to, and one may still wait for what he asked in the hang.
        machine.wait_for(
            lambda: all(viewer.answers and viewer.answers[-1].status == 200 for viewer in viewers),
            timeout_s=60,
            what="both viewers get their films again",
        )
        self._direct.stop()
        self._guarded.stop()
        direct, guarded = _in_hang(self._direct.answers, self._guarded.answers)
        show.say("what each of them got, and when; answers of the same kind that follow are counted:")
        _print_columns(list(_fold(direct)), list(_fold(guarded)))
        show.journal("-u", _BREAKER, since_cursor=self._since)
        show.journal("-x", "PLEXGUARD_EVENT=proxy.opened", since_cursor=self._since)
        show.command("plexguard-proxy", "show")
        if not any(answer.status == 503 for answer in guarded) or not any(answer.is_remembered for answer in guarded):
            raise AssertionError("the front door did not answer while Plex was away")
        if guarded[-1].status != 200 or direct[-1].status != 200:
            raise AssertionError("Plex is back, and somebody gets nothing")
        draw_hang(read_told(machine, self._since), PICTURE)
        show.say(f"all of it as a picture: {PICTURE.relative_to(PICTURE.parents[1])}")
        return f"the longest wait: {_longest(direct):.0f} s at Plex, {_longest(guarded):.0f} s at the front door"


def _in_hang(direct: Sequence[Answer], guarded: Sequence[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Return what was got from the first request on that Plex left without an answer, by that request's time."""
    began_s = next(answer.at_s - answer.took_s for answer in direct if answer.status != 200)
    first, second = (
        [replace(answer, at_s=answer.at_s - began_s) for answer in answers if answer.at_s > began_s]
        for answers in (direct, guarded)
    )
    return first, second


def _longest(answers: Sequence[Answer]) -> float:
    return max(answer.took_s for answer in answers)


def _fold(answers: Sequence[Answer]) -> Iterator[Answer]:
    """Yield the answers in order, with those that follow one of the same kind counted in it."""
    last: dict[str, Answer] = {}
    for answer in answers:
        before = last.get(answer.asked)
        if before is not None and before.is_like(answer):
            last[answer.asked] = replace(before, more=before.more + 1, slowest_s=max(before.slowest_s, answer.took_s))
            continue
        if before is not None:
            yield before
        last[answer.asked] = answer
    yield from last.values()


def _print_columns(direct: Sequence[Answer], guarded: Sequence[Answer]) -> None:
    print(f"   {'':>5}   {'asks Plex itself':<{_WIDTH}}  asks the front door")
    rows = sorted(((answer, column) for column, answers in enumerate((direct, guarded)) for answer in answers), key=_order)
    for answer, column in rows:
        shown = _describe(answer)
        for number, line in enumerate(shown):
            at = f"{answer.at_s:.0f} s" if number == 0 else ""
            print(f"   {at:>5}   {line:<{_WIDTH}}" if column == 0 else f"   {at:>5}   {'':<{_WIDTH}}  {line}")
    print(flush=True)


def _order(row: tuple[Answer, int]) -> float:
    return row[0].at_s


def _describe(answer: Answer) -> list[str]:
    got = f"{answer.status}" if answer.status else "no answer"
    lines = [f"{answer.asked:<6} {got} after {_seconds(answer.took_s)}"]
    lines += [f"       {answer.says}"] if answer.says else []
    lines += [f"       and {answer.more} more, the slowest after {_seconds(answer.slowest_s)}"] if answer.more else []
    return lines


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
