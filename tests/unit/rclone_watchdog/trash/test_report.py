"""What a run prints."""

import json

from plexguard.core.plex import Count, Item, Library
from plexguard.rclone_watchdog.trash.act import Result, Run
from plexguard.rclone_watchdog.trash.limits import Reason, Why
from plexguard.rclone_watchdog.trash.observe import LibrarySeen
from plexguard.rclone_watchdog.trash.report import encode_run, show_run

FILMS = Library(key="1", title="Films", type="movie", folders=("/f",), scanning=False)
ITEMS = tuple(Item(title=f"Film {number}", files=(f"/f/{number}.mkv",)) for number in range(3))
MISSING = LibrarySeen(library=FILMS, count=Count(items=120, missing=3), limit=50, missing=ITEMS)
CLEAN = LibrarySeen(library=FILMS, count=Count(items=120, missing=0), limit=50)
STALE = Reason(why=Why.MOUNT, text="/f is not proven: it is stale")


def show(result: Result, *, is_dry: bool = False) -> list[str]:
    return list(show_run(Run(results=(result,)), is_dry=is_dry))


def test_all_that_is_missing_is_listed_with_its_files() -> None:
    lines = show(Result(seen=MISSING), is_dry=True)

    assert lines[0] == "Films (library 1): 3 of 120 items missing, at most 50 are emptied: would be emptied"
    assert lines[1:] == [f"  Film {number}\n    /f/{number}.mkv" for number in range(3)]


def test_why_it_is_kept_is_told() -> None:
    assert show(Result(seen=MISSING, reasons=(STALE, STALE)))[0].endswith("kept: /f is not proven: it is stale")


def test_what_became_of_it_is_told() -> None:
    assert show(Result(seen=CLEAN)) == ["Films (library 1): 0 of 120 items missing, at most 50 are emptied"]
    assert show(Result(seen=CLEAN, emptied=3))[0].endswith(": 3 emptied")
    assert show(Result(seen=MISSING, is_begun=True))[0].endswith(": Plex is emptying it")
    assert show(Result(seen=LibrarySeen(library=FILMS), reasons=(STALE,)))[0].startswith("Films (library 1): kept: ")


def test_more_than_is_listed_is_counted() -> None:
    seen = LibrarySeen(library=FILMS, count=Count(items=9_000, missing=4_003), limit=90, missing=ITEMS)

    assert show(Result(seen=seen, reasons=(STALE,)))[-1] == "  and 4000 more"


def test_a_name_cannot_write_to_the_terminal() -> None:
    seen = LibrarySeen(
        library=Library(key="1", title="F\x1b[2J", type="movie", folders=(), scanning=False),
        count=Count(items=9, missing=1),
        missing=(Item(title="\x1b]0;x\x07", files=("/a\nb",)),),
    )

    assert "\x1b" not in "".join(show(Result(seen=seen, reasons=(STALE,))))


def test_programs_read_the_same() -> None:
    encoded = json.loads(json.dumps(encode_run(Run(results=(Result(seen=MISSING, reasons=(STALE,)),), setting="false"))))

    (library,) = encoded["libraries"]
    assert (library["missing"], library["total"], library["limit"], library["emptied"]) == (3, 120, 50, None)
    assert library["kept"] == [{"why": "mount", "text": "/f is not proven: it is stale"}]
    assert library["items"][0] == {"title": "Film 0", "files": ["/f/0.mkv"]}
