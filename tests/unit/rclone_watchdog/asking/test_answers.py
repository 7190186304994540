"""What a storage's answers mean; the texts are those that rclone really gave (see the integration tests, which ask anew)."""

import pytest

from plexguard.rclone_watchdog.asking.answers import judge_status, judge_text
from plexguard.rclone_watchdog.observe import Outcome

S3_1_60 = "{code}: said so\n\tstatus code: {status}, request id: , host id: "
S3_1_75 = (
    "operation error S3: ListObjects, https response error StatusCode: {status}, RequestID: 1, HostID: , api error {code}: said so"
)
WEBDAV = "couldn't list files: {status} {words}"


@pytest.mark.parametrize("shape", [S3_1_60, S3_1_75, WEBDAV], ids=["S3 1.60", "S3 1.75", "WebDAV"])
@pytest.mark.parametrize(
    ("status", "code", "words", "outcome"),
    [
        (401, "InvalidAccessKeyId", "Unauthorized", Outcome.REFUSED),
        (402, "PaymentRequired", "Payment Required", Outcome.REFUSED),
        (403, "AccessDenied", "Forbidden", Outcome.REFUSED),
        (429, "Whatever", "Too Many Requests", Outcome.REFUSED),
        (509, "Whatever", "Bandwidth Limit Exceeded", Outcome.REFUSED),
        (404, "NoSuchBucket", "Not Found", Outcome.MISSING),
        (500, "InternalError", "Internal Server Error", Outcome.FAILED),
        (502, "BadGateway", "Bad Gateway", Outcome.FAILED),
        (503, "ServiceUnavailable", "Service Unavailable", Outcome.FAILED),
        (507, "InsufficientStorage", "Insufficient Storage", Outcome.FAILED),
    ],
)
def test_a_status_in_the_words_of_rclone_is_found(shape, status, code, words, outcome):
    assert judge_text(shape.format(status=status, code=code, words=words)) is outcome
    assert judge_text("error in ListJSON: " + shape.format(status=status, code=code, words=words)) is outcome


@pytest.mark.parametrize(
    "text",
    [
        S3_1_60.format(status=503, code="SlowDown"),
        S3_1_75.format(status=503, code="SlowDown"),
        "googleapi: Error 403: The download quota for this file has been exceeded., downloadQuotaExceeded",
        "googleapi: Error 500: Rate Limit Exceeded, rateLimitExceeded",
        "too_many_requests/",
        'couldn\'t fetch token - maybe it has expired? - refresh with "rclone config reconnect box:"',
        "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], no supported methods remain",
    ],
)
def test_who_asks_for_patience_or_other_keys_refuses_whatever_the_status(text):
    assert judge_text(text) is Outcome.REFUSED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "RequestError: send request failed\ncaused by: dial tcp 127.0.0.1:403: connect: connection refused",
        "Get http://127.0.0.1:40404/b: read tcp 127.0.0.1:42900->127.0.0.1:18082: read: connection reset by peer",
        "SerializationError: failed to decode REST XML response\n\tstatus code: 200, request id: 7\ncaused by: unexpected EOF",
        "dial tcp: lookup s3.example.com: no such host",
        "net/http: TLS handshake timeout",
        "vfs cache: failed to open: input/output error",
    ],
)
def test_what_does_not_say_why_has_failed(text):
    assert judge_text(text) is Outcome.FAILED


@pytest.mark.parametrize("text", ["error in ListJSON: directory not found", "failed to find object: object not found"])
def test_what_is_not_found_is_missing(text):
    assert judge_text(text) is Outcome.MISSING


def test_a_status_of_http_is_judged_with_the_words_beside_it():
    assert judge_status(206) is Outcome.GOOD
    assert judge_status(503, "<Code>SlowDown</Code>") is Outcome.REFUSED
    assert judge_status(503) is Outcome.FAILED
    # A file's name in the words of a good status proves nothing.
    assert judge_status(200, "quota.mkv") is Outcome.GOOD
