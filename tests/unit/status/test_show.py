"""The screen: everything on it is text, and it fits."""

from dataclasses import replace

import pytest
from rich.console import Console

from plexguard.core import published
from plexguard.status.act import paint
from plexguard.status.overview import ChannelView, Overview, State, Thing
from plexguard.status.show import plain, render
from tests.unit.status.test_decide import hung
from tests.unit.status.world import NOW, overview, wall

HOSTILE = "\x1b[2J[red]x[/red] :bomb:\nsecond\u202eline\x07 \udcff"


def screen(found: Overview, *, width: int = 80) -> str:
    return plain(render(found, width=width))


def test_a_healthy_screen_begins_with_the_word_and_has_no_problems() -> None:
    lines = screen(overview()).splitlines()

    assert lines[0].endswith(": healthy")
    assert "What is wrong" not in lines


def test_each_thing_has_a_line_with_its_state() -> None:
    found = overview(probe=hung())

    shown = screen(found)

    assert " Plex           problem  hung for 3 min: no answer" in shown.splitlines()
    for one in found.things:
        assert one.summary.split()[0] in shown


@pytest.mark.parametrize("width", [80, 60])
def test_a_screen_keeps_to_its_width_but_for_commands(width: int) -> None:
    long = replace(overview(probe=hung(detail="word " * 60)), host="house")

    lines = screen(long, width=width).splitlines()

    assert max(len(line) for line in lines) <= 80
    assert max(len(line) for line in lines if line.startswith((" Plex", "    "))) <= width


def test_a_command_is_never_folded() -> None:
    path = "/srv/" + "a b" * 50
    thing = Thing(name="x", title="X", state=State.PROBLEM, summary="s", command="")
    found = replace(
        overview(), things=(thing,), problems=(replace(overview(probe=hung()).problems[0], command=f"explain '{path}'"),)
    )

    assert f"   explain '{path}'" in screen(found).splitlines()


def test_hostile_texts_stay_text() -> None:
    thing = Thing(name="x", title=HOSTILE, state=State.WELL, summary=HOSTILE, command=HOSTILE)
    channel = ChannelView(name=HOSTILE, kind=HOSTILE, waiting=1, state=State.PROBLEM, reason=HOSTILE)
    problem = replace(overview(probe=hung()).problems[0], text=HOSTILE, command=HOSTILE)
    found = replace(overview(), host=HOSTILE, things=(thing,), channels=(channel,), problems=(problem,))
    console = Console(color_system="truecolor", force_terminal=True, width=200, highlight=False, markup=False, emoji=False)

    with console.capture() as captured:
        console.print(paint(render(found, width=200)), soft_wrap=True)

    shown = screen(found, width=200)
    assert all(line.isprintable() for line in shown.splitlines())
    assert "[red]x[/red] :bomb:" in captured.get()
    assert "\x1b[2J" not in captured.get()
    assert "\x07" not in captured.get()


def test_colours_are_for_who_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(color_system="truecolor", force_terminal=True, width=80)

    with console.capture() as captured:
        console.print(paint(render(overview(probe=hung()))))

    assert "\x1b[31m" not in captured.get()
    assert "problem" in captured.get()


def test_painting_changes_no_letter() -> None:
    lines = render(overview(probe=hung()))

    assert "\n".join(line.rstrip() for line in paint(lines).plain.splitlines()) == plain(lines)


def test_timers_tell_what_was_and_what_comes() -> None:
    found = overview()

    lines = [line.split() for line in screen(found).splitlines()]

    assert ["plex-probe", "ran", "61", "s", "ago", "next", "in", "5", "min"] in lines


def test_unsent_messages_have_their_channel_and_reason() -> None:
    channel = ChannelView(
        name="hook", kind="webhook", waiting=3, oldest=wall(60), dropped=1, state=State.PROBLEM, reason="connection refused"
    )

    shown = screen(replace(overview(), channels=(channel,)))

    assert "hook (webhook): 3 waiting" in shown
    assert "1 dropped: connection refused" in shown


def test_what_is_not_known_is_said_in_the_first_line() -> None:
    assert screen(overview(probe=None)).splitlines()[0].endswith("not all is known")
    assert screen(overview(speed=published.SpeedSeen(missing="x"))).splitlines()[0].endswith("healthy, 1 warning")
    assert screen(overview()).splitlines()[0].startswith(f"plexguard on house, {NOW.wall.astimezone():%Y-%m-%d}")
