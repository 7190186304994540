"""The mappings file is read strictly, and all its mistakes are told at once."""

import json

import pytest

from plexguard.db_export.remap.mappings import BadMappings, encode_mappings, parse_mappings


def parse(whole: object) -> dict[str, str]:
    return parse_mappings(json.dumps(whole).encode(), "m.json")


def mistakes_of(data: bytes) -> tuple[str, ...]:
    with pytest.raises(BadMappings) as caught:
        parse_mappings(data, "m.json")
    return caught.value.mistakes


def test_the_form_of_the_scripts_that_came_before_is_read():
    text = b"""{
        "_comment": "Maps old paths to new paths.",
        "mappings": {"/Media/TVShows": "/Media/TV", "/Media/Kids/TV Shows/": "/Media/Kids/TV/"}
    }"""
    assert parse_mappings(text, "m.json") == {"/Media/TVShows": "/Media/TV", "/Media/Kids/TV Shows": "/Media/Kids/TV"}


def test_the_root_is_a_path():
    assert parse({"mappings": {"/": "/mnt", "/a": "/"}}) == {"/": "/mnt", "/a": "/"}


def test_all_mistakes_are_told_at_once():
    text = b"""{"mapings": {}, "mappings": {"TV": "/a", "/b": "b/", "/c": 3, "/d": "/d/", "/e": "/f", "/e/": "/g",
        "/h/../i": "/j", "/k//l": "/m", "/n\\u0000": "/o", "/p": "/\\ud800"}}"""
    assert mistakes_of(text) == (
        'm.json: "mapings": unknown, allowed are "mappings" and remarks, whose names begin with "_"',
        'm.json: "TV": is no absolute path',
        'm.json: "b/": is no absolute path',
        'm.json: "/c": found a number, allowed is a path',
        'm.json: "/d": is mapped to itself',
        'm.json: "/e/": is there twice',
        'm.json: "/h/../i": has a part that is empty, "." or ".."',
        'm.json: "/k//l": has a part that is empty, "." or ".."',
        'm.json: "/n\\x00": holds a NUL, which no path can',
        'm.json: "/\\ud800": holds half a character',
    )


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (b"", "m.json: no JSON"),
        (b"[" * 100_000, "m.json: no JSON"),
        (b"[]", "m.json: found a list, allowed is an object"),
        (b"null", "m.json: found null, allowed is an object"),
        (b"{}", 'm.json: "mappings": is missing'),
        (b'{"mappings": {"/a": "/b"}, "mappings": {"/c": "/d"}}', 'm.json: "mappings": is there twice'),
        (b'{"mappings": {"/a": "/b", "/a": "/c"}}', 'm.json: "/a": is there twice'),
        (b'{"mappings": ["/a", "/b"]}', 'm.json: "mappings": found a list, allowed is an object'),
        (b'{"mappings": {}}', 'm.json: "mappings": is empty'),
        (b'{"mappings": {"/a": {"b": 1}}}', 'm.json: "/a": found an object, allowed is a path'),
        (b'{"mappings": {"/a": true}}', 'm.json: "/a": found true or false, allowed is a path'),
    ],
)
def test_what_is_no_list_of_mappings_is_refused(text, mistake):
    assert mistakes_of(text)[0].startswith(mistake)


def test_bytes_that_are_no_text_come_back_as_they_were():
    data = encode_mappings({"/Media/\udce9t\udce9": '/Média/"été"\n'}, {"_note": "é"})
    assert b"/Media/\xe9t\xe9" in data
    assert parse_mappings(data, "m.json") == {"/Media/\udce9t\udce9": '/Média/"été"\n'}
