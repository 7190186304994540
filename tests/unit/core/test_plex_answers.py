"""What an answer of Plex means: every status and every body is a value or a fault of a named kind."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.plex import PlexBroken, PlexDeclined, PlexError, PlexFailing, PlexMaintenance, PlexUnauthorized
from plexguard.core.plex_answers import interpret_answer, interpret_done
from plexguard.core.plex_http import HttpPlex
from plexguard.core.secret import Secret

JSON = "application/json"
XML = "text/xml;charset=utf-8"
HTML = "text/html"
MIGRATING = b'<Response code="503" title="Maintenance" status="Plex Media Server is currently running database migrations."/>'
UNAUTHORIZED = b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
BILLION_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "lol">'
    + b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
    + b']><MediaContainer machineIdentifier="&l9;">&l9;</MediaContainer>'
)


@pytest.mark.parametrize(
    ("status", "kind", "body", "fault", "said"),
    [
        (401, HTML, UNAUTHORIZED, PlexUnauthorized, "/x: 401: the token is wrong or missing"),
        (403, HTML, b"", PlexUnauthorized, "403"),
        (503, XML, MIGRATING, PlexMaintenance, "Plex Media Server is currently running database migrations."),
        (503, HTML, b"<h1>503 Maintenance</h1>", PlexMaintenance, "maintenance"),
        (503, HTML, b"", PlexFailing, "/x: 503"),
        (503, HTML, b"<h1>503 Service Unavailable</h1>", PlexFailing, "503 503 Service Unavailable"),
        (500, HTML, b"<h1>500 Internal Server Error</h1>", PlexFailing, "/x: 500 500 Internal Server Error"),
        (500, XML, MIGRATING, PlexFailing, "/x: 500"),
        (502, HTML, b"bad gateway", PlexFailing, "/x: 502 bad gateway"),
        (301, HTML, b"", PlexBroken, "redirect"),
        (302, JSON, b'{"MediaContainer":{}}', PlexBroken, "redirect"),
        (304, JSON, b"", PlexBroken, "redirect"),
        (404, HTML, b"<html><head><title>Not Found</title></head></html>", PlexBroken, "/x: status 404 Not Found"),
        (400, HTML, b"", PlexBroken, "status 400"),
        (101, JSON, b'{"MediaContainer":{}}', PlexBroken, "status 101"),
        (206, JSON, b'{"MediaContainer":{}}', PlexBroken, "status 206"),
        (200, HTML, b"<html>Welcome to nginx</html>", PlexBroken, "/x: text/html instead of XML or JSON"),
        (200, "", b'{"MediaContainer":{}}', PlexBroken, "content without a type"),
        (200, "application/octet-stream", b"\0\1\2", PlexBroken, "application/octet-stream instead"),
        (204, "", b"", PlexBroken, ""),
        (200, JSON, b"", PlexBroken, "JSON"),
        (200, JSON, b"null", PlexBroken, "JSON"),
        (200, JSON, b"[]", PlexBroken, "JSON"),
        (200, JSON, b'"MediaContainer"', PlexBroken, "JSON"),
        (200, JSON, b"{}", PlexBroken, "JSON"),
        (200, JSON, b'{"MediaContainer": null}', PlexBroken, "MediaContainer is no object"),
        (200, JSON, b'{"MediaContainer": []}', PlexBroken, "MediaContainer is no object"),
        (200, JSON, b'{"MediaContainer": 5}', PlexBroken, "MediaContainer is no object"),
        (200, JSON, b'{"MediaContainer": {"size"', PlexBroken, "JSON"),
        (200, JSON, b'{"MediaContainer": {"a": "\xff"}}', PlexBroken, "JSON"),
        (200, JSON, b'{"MediaContainer": {"a": ' + b"9" * 5000 + b"}}", PlexBroken, "JSON"),
        (200, JSON, b'{"MediaContainer":' + b'{"a":' * 600 + b"1" + b"}" * 601, PlexBroken, "JSON"),
        (200, JSON, b'{"MediaContainer":' + b'{"a":' * 100_000, PlexBroken, "JSON"),
        (200, JSON, b"[" * 100_000, PlexBroken, "JSON"),
        (200, XML, b"", PlexBroken, "XML that does not parse"),
        (200, XML, b"<MediaContainer size=", PlexBroken, "XML that does not parse"),
        (200, XML, b"<MediaContainer><Directory></MediaContainer>", PlexBroken, "XML that does not parse"),
        (200, XML, b"<html/>", PlexBroken, "XML that is not Plex's: <html>"),
        (200, XML, b'<x:MediaContainer xmlns:x="y"/>', PlexBroken, "XML that is not Plex's"),
        (200, XML, b'<?xml version="1.0" encoding="x-none"?><MediaContainer/>', PlexBroken, "XML"),
        (200, XML, b'<?xml version="1.0" encoding="shift_jis"?><MediaContainer/>', PlexBroken, "XML"),
        (200, XML, b"<MediaContainer>&undefined;</MediaContainer>", PlexBroken, "XML that does not parse"),
        (200, XML, b"<MediaContainer a='\xff'/>", PlexBroken, "XML that does not parse"),
        (200, XML, b"<MediaContainer>" + b"<a>" * 3000 + b"</a>" * 3000 + b"</MediaContainer>", PlexBroken, "XML"),
        (200, XML, BILLION_LAUGHS, PlexBroken, "XML that does not parse"),
    ],
    ids=lambda value: str(value)[:30] if not isinstance(value, type) else value.__name__,
)  # fmt: skip
def test_answer_is_a_fault_of_its_kind(status: int, kind: str, body: bytes, fault: type[PlexError], said: str) -> None:
    with pytest.raises(PlexError) as told:
        interpret_answer("/x", status, kind, body)

    assert type(told.value) is fault
    assert said in str(told.value)


def test_fault_does_not_repeat_a_page_of_html() -> None:
    with pytest.raises(PlexFailing) as told:
        interpret_answer("/x", 500, HTML, b"<p>very long</p>\n" * 10_000)

    assert len(str(told.value)) < 120


@pytest.mark.parametrize("status", [200, 201])
def test_good_answer_is_its_root(status: int) -> None:
    assert interpret_answer("/x", status, JSON, b'{"MediaContainer": {"version": "1.43"}}').text("version") == "1.43"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            JSON,
            b'{"MediaContainer": {"yes": true, "no": false, "one": 1, "zero": 0, "nothing": null, "text": "a\\u00fc", "real": 1.5, '
            b'"list": [1], "Part": [{"n": "a", "Sub": {"m": "b"}}, 5, null, {"n": "c"}], "Single": {"n": "d"}}}',
        ),
        (
            XML,
            b'<MediaContainer yes="1" no="0" one="1" zero="0" text="a&#252;" real="1.5"><Part n="a"><Sub m="b"/></Part>words'
            b'<!-- a comment --><Part n="c"/><Single n="d"/></MediaContainer>',
        ),
    ],
    ids=["json", "xml"],
)  # fmt: skip
def test_both_forms_give_the_same_values_and_children(kind: str, body: bytes) -> None:
    root = interpret_answer("/x", 200, kind, body)

    assert (root.text("text"), root.text("real"), root.text("one")) == ("aü", "1.5", "1")
    assert (root.flag("yes"), root.flag("no"), root.flag("one"), root.flag("zero"), root.flag("away")) == (
        True,
        False,
        True,
        False,
        False,
    )
    assert (root.text("nothing"), root.text("away"), root.text("list"), root.text("Part")) == ("", "", "", "")
    assert [part.text("n") for part in root.children("Part")] == ["a", "c"]
    assert [part.text("n") for part in root.children("Part", "Single")] == ["a", "c", "d"]
    assert [part.child_text("Sub", "m") for part in root.children("Part")] == ["b", ""]


def test_half_of_a_surrogate_pair_does_not_get_inside() -> None:
    root = interpret_answer("/x", 200, JSON, b'{"MediaContainer": {"title": "a\\ud800b"}}')

    assert root.text("title") == "a?b"


@given(st.sampled_from([JSON, XML]), st.binary(max_size=200))
def test_any_body_is_a_value_or_a_fault(kind: str, body: bytes) -> None:
    try:
        interpret_answer("/x", 200, kind, body)
    except PlexBroken:
        return


_JSON_BODY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Directory", "Location", "key", "title"]), inner),
    max_leaves=8,
)


@given(_JSON_BODY)
def test_any_json_is_a_value_or_a_fault_and_texts_are_texts(data: object) -> None:
    import json

    try:
        root = interpret_answer("/x", 200, JSON, json.dumps({"MediaContainer": data}).encode())
    except PlexBroken:
        return
    for node in (root, *root.children("Directory")):
        assert isinstance(node.text("key"), str)
        assert node.flag("title") in (True, False)
        assert isinstance(node.child_text("Location", "key"), str)


@pytest.mark.parametrize("token", ["two\nlines", "snow\N{SNOWMAN}", "bad\N{REPLACEMENT CHARACTER}", "a\rb", "a\0b"], ids=ascii)
def test_token_that_cannot_be_one_is_told_as_such_before_anything_is_sent(token: str) -> None:
    with pytest.raises(PlexUnauthorized) as told:
        HttpPlex("http://127.0.0.1:1", Secret(token)).libraries(timeout_s=1.0)

    assert token not in str(told.value)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_what_was_told_is_done_whatever_plex_says_beside(status: int) -> None:
    interpret_done("/x", status, b"anything at all")


@pytest.mark.parametrize(
    ("status", "body", "fault", "said"),
    [
        (400, b"<h1>400 Bad Request</h1>", PlexDeclined, "/x: Plex declines: 400 400 Bad Request"),
        (404, b"", PlexDeclined, "/x: Plex declines: 404"),
        (401, UNAUTHORIZED, PlexUnauthorized, "401"),
        (403, b"", PlexUnauthorized, "403"),
        (503, MIGRATING, PlexMaintenance, "database migrations"),
        (503, b"", PlexFailing, "503"),
        (302, b"", PlexBroken, "redirect"),
        (206, b"", PlexBroken, "status 206"),
    ],
)
def test_what_was_told_and_is_not_done_is_a_fault_of_its_kind(status: int, body: bytes, fault: type[PlexError], said: str) -> None:
    with pytest.raises(fault, match=re.escape(said)):
        interpret_done("/x", status, body)
