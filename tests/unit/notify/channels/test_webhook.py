"""What a webhook is sent."""

import hashlib
import hmac
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.core.secret import Secret
from plexguard.notify.channels.webhook import render_body, sign
from plexguard.notify.message import Refused
from plexguard.notify.web import make_bearer
from tests.static.tree import MAN, page_text
from tests.unit.notify.messages import HUNG, RECOVERED, changed


def test_body_has_the_fields_of_the_seeds_and_ours():
    document = json.loads(render_body(HUNG))
    assert document == {
        "channel": "plex",
        "severity": "error",
        "title": HUNG.title,
        "message": HUNG.message,
        "details": HUNG.details,
        "id": HUNG.id,
        "at": "2026-03-01T13:30:15.250000+01:00",
        "host": "tower",
        "unit": HUNG.unit,
        "event": "plex.hung",
        "count": 1,
        "problem_id": None,
        "downtime_s": None,
        "action": list(HUNG.action),
    }


def test_recovery_names_its_problem_and_the_downtime():
    document = json.loads(render_body(RECOVERED))
    assert (document["problem_id"], document["downtime_s"]) == (HUNG.id, 185.4)


@given(text=st.text(st.characters(), max_size=50))
def test_any_text_arrives_as_valid_unicode(text):
    document = json.loads(render_body(changed(message=text, details={"path": text})).decode("utf-8"))
    whole = "".join("\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text)
    if not any("\ud800" <= c <= "\udfff" for c in text):
        assert document["message"] == document["details"]["path"] == whole


def test_byte_that_is_no_utf8_becomes_a_replacement_character():
    assert json.loads(render_body(changed(message="a\udcffb")))["message"] == "a\N{REPLACEMENT CHARACTER}b"


def test_signature_can_be_checked_by_who_knows_the_key():
    body = render_body(HUNG)
    stamp, _, digest = sign(b"key", body, 1772368200).partition(",")
    assert stamp == "t=1772368200"
    assert digest == "sha256=" + hmac.new(b"key", b"1772368200." + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("key", "body", "stamp"), [(b"kez", b"{}", 1), (b"key", b"{ }", 1), (b"key", b"{}", 2)], ids=["key", "body", "time"]
)
def test_signature_changes_with(key, body, stamp):
    assert sign(key, body, stamp).partition(",")[2] != sign(b"key", b"{}", 1).partition(",")[2]


@pytest.mark.parametrize("token", ["a b", "a\nb", "tök"])
def test_token_that_no_header_can_hold_is_refused_and_not_shown(token):
    with pytest.raises(Refused) as caught:
        make_bearer(Secret(token))
    assert token not in str(caught.value)


def test_example_of_the_manual_is_true():
    text = page_text(MAN / "plexguard-notify.8")
    found = re.search(r"sent at (\d+):.*?hmac (\w+)\n\S+= ([0-9a-f]{64})\n", text, re.DOTALL)
    body = re.search(r'\{"id": "1"\}', text)
    assert found is not None and body is not None
    assert sign(found[2].encode(), body[0].encode(), int(found[1])) == f"t={found[1]},sha256={found[3]}"
