"""What a caller is told, in each language."""

import json
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from plexguard.proxy.answers import Answer, map_entries, render_body, render_map
from plexguard.proxy.runtime import quote

ANSWER = Answer(reason="maintenance", text="Plex is in maintenance", wait_s=63)


def test_json_names_reason_and_wait():
    assert json.loads(render_body("json", 503, ANSWER)) == {
        "error": "Service unavailable",
        "reason": "maintenance",
        "message": "Plex is in maintenance",
        "retry_after_s": 63,
    }


def test_time_out_says_so():
    assert json.loads(render_body("json", 504, ANSWER))["error"] == "Gateway timeout"


def test_xml_is_of_the_form_of_errors_of_plex():
    root = ElementTree.fromstring(render_body("xml", 503, ANSWER))
    assert (root.tag, root.get("code"), root.get("status"), root.get("retryAfter")) == ("Response", "503", ANSWER.text, "63")


def test_html_escapes_what_it_is_given():
    body = render_body("html", 503, Answer(reason="<b>", text="<script>", wait_s=1))
    assert "<script>" not in body and "&lt;script&gt;" in body and "&lt;b&gt;" in body


def test_nobody_is_asked_to_come_again_at_once():
    assert map_entries(503, Answer(reason="x", text="y", wait_s=0))["wait"] == "1"


@given(st.text(max_size=50))
def test_body_is_one_line_of_a_map_whatever_the_text(text):
    entries = map_entries(503, Answer(reason="x", text=" ".join(text.split()), wait_s=1))
    assert [line.partition(" ")[0] for line in render_map(entries).split("\n") if line] == list(entries)


@given(st.text(max_size=50))
def test_quoted_text_is_one_word_of_a_command(text):
    quoted, words, escaped = quote(text), 1, False
    for character in quoted:
        assert escaped or character not in ";\n\"'#"
        words += character == " " and not escaped
        escaped = character == "\\" and not escaped
    assert words == 1 and not escaped
