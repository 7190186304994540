"""What a caller is told when Plex does not answer: JSON, XML or HTML, with the reason and the expected wait. Pure.

HAProxy picks the body by the Accept header from a map, a file of keys and values that its runtime socket can change; so a body
is one line. The XML is of the form of Plex's own errors.
"""

import html
import json
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

# By a piece of the Accept header, the first that fits; what fits none gets XML, as Plex does it.
FORMS = {"json": "json", "text/html": "html"}
DEFAULT_FORM = "xml"
CONTENT_TYPES = {"json": "application/json", "html": "text/html;charset=utf-8", "xml": "text/xml;charset=utf-8"}
WAIT = "wait"
# What a player or a browser does with a wait of nothing is hammer.
_LEAST_WAIT_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Why there is no answer of Plex's. reason: one word, for programs. text: for people, a sentence without its full stop.
    wait_s: when to come again."""

    reason: str
    text: str
    wait_s: int


FAILED = Answer(reason="failed", text="Plex did not answer properly", wait_s=5)
TIMED_OUT = Answer(reason="timeout", text="Plex did not answer in time", wait_s=5)
_TITLES = {503: "Service unavailable", 504: "Gateway timeout"}


def render_body(form: str, status: int, answer: Answer) -> str:
    """Return the body of an answer, on one line."""
    title, wait_s = _TITLES[status], max(_LEAST_WAIT_S, answer.wait_s)
    match form:
        case "json":
            values = {"error": title, "reason": answer.reason, "message": answer.text, "retry_after_s": wait_s}
            return json.dumps(values)
        case "html":
            told = html.escape(answer.text)
            return (
                f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
                f"<body><h1>{told}.</h1><p>Try again in {wait_s} s. Reason: {html.escape(answer.reason)}.</p></body></html>"
            )
        case _:
            attributes = f"code={quoteattr(str(status))} title={quoteattr(title)} status={quoteattr(answer.text)}"
            more = f"reason={quoteattr(answer.reason)} retryAfter={quoteattr(str(wait_s))}"
            return f'<?xml version="1.0" encoding="UTF-8"?><Response {attributes} {more}/>'


def map_entries(status: int, answer: Answer) -> dict[str, str]:
    """Return the keys and values of the map for a status: a body for each form, and the wait."""
    bodies = {form: render_body(form, status, answer) for form in CONTENT_TYPES}
    return {**bodies, WAIT: str(max(_LEAST_WAIT_S, answer.wait_s))}


def render_map(entries: dict[str, str]) -> str:
    return "".join(f"{key} {value}\n" for key, value in entries.items())
