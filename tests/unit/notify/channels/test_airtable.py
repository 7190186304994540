"""Records for Airtable, and what its answers mean."""

import json
from datetime import UTC, datetime

import pytest

from plexguard.notify.channels.airtable import MAX_TEXT, judge_answer, make_document, make_fields, read_fault
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Busy, Refused, Rejected
from plexguard.notify.web import Answer
from tests.unit.notify.messages import HUNG, changed

CHANNEL = Channel(kind="airtable", base="appFAKE0123456789", table="Log")
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def fault(kind: str, message: str = "words") -> bytes:
    return json.dumps({"error": {"type": kind, "message": message}}).encode()


def judge(status: int, body: bytes = b"", records: int = 1, **headers: str):
    answer = Answer(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
    return judge_answer(answer, records, "https://api.airtable.com:443", NOW)


def test_default_fields_are_those_of_the_seeds():
    fields = make_fields(HUNG, CHANNEL)
    assert list(fields) == ["Name", "Time", "Message"]
    assert fields["Name"] == "Plex hangs"
    assert fields["Time"] == "2026-03-01T12:30:15.250Z"
    assert fields["Message"].startswith(HUNG.message)


def test_field_without_a_name_is_left_out_and_others_have_their_own():
    channel = Channel(kind="airtable", name_field="", time_field="Wann", message_field="Was", severity_field="Wie", id_field="Id")
    fields = make_fields(HUNG, channel)
    assert list(fields) == ["Wann", "Was", "Wie", "Id"]
    assert (fields["Wie"], fields["Id"]) == ("error", HUNG.id)


def test_id_field_makes_it_an_upsert():
    assert "performUpsert" not in make_document([HUNG], CHANNEL)
    channel = Channel(kind="airtable", id_field="Id", typecast=True)
    document = make_document([HUNG], channel)
    assert document["performUpsert"] == {"fieldsToMergeOn": ["Id"]}
    assert document["typecast"] is True


@pytest.mark.parametrize(
    "character, times", [("x", MAX_TEXT + 1), ("é", MAX_TEXT + 1), ("🎬", MAX_TEXT // 2 + 1)], ids=["ascii", "accent", "film"]
)
def test_text_is_cut_at_what_a_field_holds(character, times):
    text = make_fields(changed(message=character * times, action=()), CHANNEL)["Message"]
    units = len(text.encode("utf-16-le")) // 2
    assert MAX_TEXT - 1 <= units <= MAX_TEXT
    assert text.endswith(" …")


def test_text_that_fits_is_not_cut():
    text = "x" * MAX_TEXT
    assert make_fields(changed(message=text, action=()), CHANNEL)["Message"] == text


@pytest.mark.parametrize(
    "status, body, kind",
    [
        (401, fault("AUTHENTICATION_REQUIRED"), Refused),
        (403, fault("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"), Refused),
        (403, fault("INVALID_PERMISSIONS"), Refused),
        (404, b'{"error": "NOT_FOUND"}', Refused),
        (404, fault("TABLE_NOT_FOUND"), Refused),
        (422, fault("UNKNOWN_FIELD_NAME"), Refused),
        (422, fault("CANNOT_UPDATE_COMPUTED_FIELD"), Refused),
        (422, fault("INVALID_VALUE_FOR_COLUMN"), Rejected),
        (422, fault("INVALID_RECORDS"), Rejected),
        (422, fault("INVALID_MULTIPLE_CHOICE_OPTIONS"), Rejected),
        (422, b"nonsense", Rejected),
        (400, b"", Rejected),
        (413, fault("REQUEST_TOO_LARGE"), Rejected),
        (500, fault("SERVER_ERROR"), Away),
        (502, b"<html>", Away),
        (503, b"", Away),
        (302, b"", Refused),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else getattr(value, "__name__", str(value)),
)
def test_answer_means(status, body, kind):
    assert type(judge(status, body)) is kind


def test_fault_is_told_in_airtable_s_words_with_what_to_look_at():
    failure = judge(422, fault("UNKNOWN_FIELD_NAME", 'Unknown field name: "Name"'))
    assert 'UNKNOWN_FIELD_NAME Unknown field name: "Name"' in str(failure) and "fields" in failure.hint
    assert "data.records:write" in judge(403, fault("INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND")).hint


@pytest.mark.parametrize(
    "headers, wait_s",
    [
        ({}, 30.0),
        ({"retry_after": "5"}, 30.0),
        ({"retry_after": "90"}, 90.0),
        ({"retry_after": "Sun, 01 Mar 2026 12:05:00 GMT"}, 300.0),
    ],
    ids=str,
)
def test_too_many_calls_wait_out_the_penalty(headers, wait_s):
    failure = judge(429, b'{"errors": [{"error": "RATE_LIMIT_REACHED", "message": "later"}]}', **headers)
    assert isinstance(failure, Busy) and failure.retry_after_s == wait_s


def test_used_up_month_is_not_asked_again_every_30_s():
    failure = judge(429, fault("PUBLIC_API_BILLING_LIMIT_EXCEEDED"))
    assert isinstance(failure, Busy) and failure.retry_after_s == 3600.0 and "month" in str(failure)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Welcome to our hotel</html>", b"{}", b'{"records": 5}', b'{"records": [{"id"', b"[]", b'{"records": [{}, {}]}'],
    ids=repr,
)
def test_success_without_the_records_is_none(body):
    assert isinstance(judge(200, body, records=1), Away)


def test_success_with_the_records_is_one():
    assert judge(200, b'{"records": [{}, {}]}', records=2) is None


@pytest.mark.parametrize(
    "body", [b'{"error": null}', b'{"errors": []}', b'{"error": 5}', b"null", b"[" * 100_000], ids=lambda b: repr(b[:20])
)
def test_error_of_no_known_form_is_none(body):
    assert read_fault(body).type == ""
