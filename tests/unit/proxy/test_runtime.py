"""What HAProxy says of its servers."""

import pytest

from plexguard.core.errors import PeerError
from plexguard.proxy.runtime import Gate, parse_servers

HEAD = "# pxname,svname,scur,stot,econ,eresp,status,check_status,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx"
PLEX = "metadata,plex,2,120,0,0,UP,L7OK,0,100,10,1,0"
BACKEND = "metadata,BACKEND,2,120,0,0,UP,,0,100,10,1,0"


def parse(*rows: str) -> Gate:
    return parse_servers("\n".join((HEAD, *rows, "", "")))


def test_answers_are_counted():
    counters = parse(PLEX, BACKEND).counters
    assert (counters.asked, counters.good, counters.bad, counters.waits) == (120, 111, 0, 2)


def test_servers_are_summed_and_what_stands_between_is_not_counted_twice():
    rows = (
        *(PLEX, BACKEND),
        *("media,plex,1,6,0,0,UP,,0,5,0,0,1", "media,BACKEND,1,6,0,0,UP,,0,5,0,0,1"),
        *("last,plex,9,9,9,9,UP,,0,9,0,0,9", "last,BACKEND,9,9,9,9,UP,,0,9,0,0,9"),
        *("picture-away,pictures,9,9,9,9,UP,,0,9,0,0,9", "metrics,BACKEND,9,9,9,9,UP,,0,9,0,0,9"),
    )
    counters = parse(*rows).counters
    assert (counters.asked, counters.good, counters.bad, counters.waits) == (126, 116, 1, 3)


# What HAProxy 2.6 counts, by what was done to it: one request, to its end, except where it says otherwise.
@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(
            ("metadata,plex,0,2,0,0,UP,,0,0,0,0,0", "metadata,BACKEND,1,1,0,0,UP,,0,0,0,0,0"), id="first attempt timed out"
        ),
        pytest.param(
            (
                "metadata,plex,0,2,0,0,UP,,0,0,0,0,0",
                "metadata,last,0,1,0,0,UP,,0,0,0,0,1",
                "metadata,BACKEND,0,1,0,0,UP,,0,0,0,0,1",
                "last,plex,0,1,0,0,UP,,0,0,0,0,1",
            ),
            id="three attempts were answered with 503",
        ),
        pytest.param(
            (
                "metadata,plex,0,2,0,2,UP,,0,0,0,0,0",
                "metadata,last,0,1,0,1,UP,,0,0,0,0,0",
                "metadata,BACKEND,0,1,0,3,UP,,0,0,0,0,1",
            ),
            id="three attempts were reset",
        ),
        pytest.param(
            (
                "media,plex,0,2,0,0,UP,,0,0,0,0,0",
                "media,last,0,1,0,0,UP,,0,0,0,0,1",
                "media,BACKEND,0,1,0,0,UP,,0,0,0,0,1",
                "last,plex,0,1,1,0,UP,,0,0,0,0,0",
            ),
            id="nobody listens",
        ),
        pytest.param(
            (
                "media,once,0,1,0,0,UP,,0,0,0,0,1",
                "media,BACKEND,0,1,0,0,UP,,0,0,0,0,1",
                "once,plex,0,1,0,1,UP,,0,0,0,0,0",
            ),
            id="a report timed out",
        ),
        pytest.param(("metadata,plex,0,1,0,0,UP,,0,0,0,0,1", "metadata,BACKEND,0,1,0,0,UP,,0,0,0,0,1"), id="500"),
        pytest.param(
            (
                "picture,pictures,0,2,0,0,UP,,0,0,0,0,0",
                "picture,last,0,1,0,0,UP,,0,0,0,0,1",
                "picture,BACKEND,0,1,0,0,UP,,0,0,0,0,1",
            ),
            id="a picture timed out",
        ),
    ],
)
def test_request_that_fails_is_one_failure_however_often_it_was_made(rows):
    names = {row.partition(",")[0] for row in rows}
    others = () if "metadata" in names else (PLEX, BACKEND)
    assert parse(*others, *rows).counters.bad == 1


def test_pictures_that_cannot_be_reached_are_no_failure_of_plex():
    rows = (
        "picture,pictures,0,10,5,0,UP,,0,0,0,0,0",
        "picture,last,0,5,0,0,UP,,0,5,0,0,0",
        "picture,BACKEND,0,5,5,0,UP,,0,5,0,0,0",
    )
    counters = parse(PLEX, BACKEND, *rows).counters
    assert (counters.good, counters.bad) == (116, 0)


def test_bodies_that_callers_do_not_end_are_no_failure_of_plex():
    rows = ("upload,once,0,7,0,0,UP,,0,2,0,0,5", "upload,BACKEND,0,7,0,0,UP,,0,2,0,0,5")
    assert parse(PLEX, BACKEND, *rows).counters.bad == 0


def test_who_was_turned_away_has_not_failed():
    assert parse(PLEX, "metadata,BACKEND,0,128,0,0,DOWN,,0,100,10,1,8").counters.bad == 0


@pytest.mark.parametrize(
    ("status", "passes", "drained"),
    [
        ("UP", True, False),
        ("UP 1/3", True, False),
        ("no check", True, False),
        ("DOWN", False, False),
        ("DOWN 1/3", False, False),
        ("MAINT", False, True),
        ("DRAIN", False, True),
    ],
)
def test_status_is_read(status, passes, drained):
    gate = parse(PLEX.replace("UP", status))
    assert (gate.lets_through, gate.is_drained) == (passes, drained)


def test_gate_is_held_when_haproxy_does_not_check():
    assert not parse(PLEX).is_held and parse(PLEX.replace("L7OK", "")).is_held


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "Permission denied\n\n",
        f"{HEAD}\n\n",
        f"{HEAD}\nother,plex,0,0,0,0,UP,,0,0,0,0,0\n\n",
        f"{HEAD}\n{PLEX}\n",
        f"{HEAD}\n{PLEX[:20]}",
        f"{HEAD}\n{PLEX.replace('120', 'many')}\n{BACKEND}\n\n",
        f"{HEAD}\n{PLEX}\nmetadata,BACKEND,x\n\n",
        "# pxname,svname\nmetadata,plex\n\n",
        "# nothing\nof\nthe\nkind\n\n",
    ],
)
def test_answer_that_is_cut_or_foreign_is_refused(text):
    with pytest.raises(PeerError):
        parse_servers(text)
