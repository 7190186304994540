"""What a storage's answer means, from an HTTP status or from the words in which rclone passes it on. Pure."""

import re

from plexguard.rclone_watchdog.observe import Outcome

# Not now, or not you: to ask more often makes it worse.
_REFUSALS = frozenset({401, 402, 403, 407, 429, 509})
_MISSING = frozenset({404, 410})
# The same, said with another status, mostly 503 and 500 (S3, Google Drive, Dropbox, OneDrive, Box).
_REFUSING_WORDS = re.compile(
    r"SlowDown|Throttl|RequestLimitExceeded|TooManyRequests|too many requests|too_many_requests|rate.?limit|quota|"
    r"BandwidthLimit|bandwidth limit|activityLimitReached|AccessDenied|access denied|Unauthori[sz]ed|Forbidden|"
    r"InvalidAccessKeyId|SignatureDoesNotMatch|RequestTimeTooSkewed|invalid_grant|invalid_client|expired_access_token|InvalidAuthenticationToken|"
    r"token expired|couldn't fetch token|unable to authenticate|permission denied",
    re.IGNORECASE,
)
_MISSING_WORDS = re.compile(r"NoSuchKey|NoSuchBucket|(?:object|directory|bucket|file) not found|no such file", re.IGNORECASE)
# "status code: 403" is of S3 in rclone 1.60, "StatusCode: 403" in 1.75; "Error 403" of Google's, "HTTP error 403" of many; "403
# Forbidden", the status line itself, of WebDAV and HTTP. A bare number may be anything, such as a port.
_STATUS = re.compile(r"(?:status code:? |StatusCode: |(?:HTTP )?error:? )([1-5]\d\d)\b|\b([1-5]\d\d) (?=[A-Z][A-Za-z])")


def judge_status(status: int, text: str = "") -> Outcome:
    """Return what an HTTP status means, with the words of its body."""
    if 200 <= status < 300:
        return Outcome.GOOD
    if status in _REFUSALS:
        return Outcome.REFUSED
    if status in _MISSING:
        return Outcome.MISSING
    return Outcome.REFUSED if _REFUSING_WORDS.search(text) else Outcome.FAILED


def judge_text(text: str) -> Outcome:
    """Return what an error of rclone's means. What it does not say is a failure: nothing is taken for missing by guess."""
    found = _STATUS.search(text)
    if found:
        outcome = judge_status(int(found[1] or found[2]), text)
        # An answer that came well and could not be understood, such as half a body.
        return Outcome.FAILED if outcome is Outcome.GOOD else outcome
    if _REFUSING_WORDS.search(text):
        return Outcome.REFUSED
    return Outcome.MISSING if _MISSING_WORDS.search(text) else Outcome.FAILED
