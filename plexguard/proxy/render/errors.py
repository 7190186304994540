"""The answers that are plexguard's own."""

from plexguard.proxy import answers
from plexguard.proxy.render.common import BODIES, FORMS, TYPES, Places

# Our own answers bear it, so that they are told from Plex's.
_MARK = "plexguard-answer"
# A browser lets a page of another address read an answer only where it says so; Plex's own do.
_READABLE = "hdr Access-Control-Allow-Origin *"


def own_answers(places: Places) -> list[str]:
    """One body for each form and status, kept in maps that the breaker fills with its reason.

    These rules must stand here: in a section of defaults, HAProxy 2.6 dies of a log-format in an error answer.
    """
    own = f"{{ status 502 503 504 }} {{ res.hdr({_MARK}) -m found }}"
    accept = "    http-request set-var(txn.accept) req.fhdr(accept),lower"
    return [
        accept,
        *error_answers(places),
        f"    http-after-response set-header Content-Type %[{_form(places)},map({places.run}/{TYPES})] if {own}",
        # Half an answer, or none that makes sense: to the caller it is the same.
        f"    http-after-response set-status 503 if {{ status 502 }} {{ res.hdr({_MARK}) -m found }}",
        # Of what a page of another address may read, the wait is no part by itself, be it ours or that of a 429 of Plex's.
        "    http-after-response add-header Access-Control-Expose-Headers Retry-After"
        " if { status 429 503 504 } { res.hdr(retry-after) -m found }",
        *_preflights(),
    ]


def _preflights() -> list[str]:
    """A browser asks whether a page of another address may send a header such as the token, and shows it no answer at all, ours
    neither, where that question fails. While Plex is there the say is Plex's; while it is away reading is granted, for once."""
    reads = "METH_OPTIONS { req.hdr(origin) -m found } { req.hdr(access-control-request-method) -m str GET HEAD }"
    granted = {
        "Access-Control-Allow-Origin": "*",
        "Access-Control-Allow-Headers": "%[req.fhdr(access-control-request-headers)]",
        "Access-Control-Max-Age": "0",
    }
    headers = " ".join(f"hdr {name} {value}" for name, value in granted.items())
    return [f"    http-request return status 204 {headers} if !here {reads}"]


def error_answers(places: Places) -> list[str]:
    return [f"    http-error status {status} {answer(places, status)}" for status in (502, 503, 504)]


def answer(places: Places, status: int) -> str:
    name = BODIES.get(status, BODIES[503])
    wait = f'hdr Retry-After "%[str({answers.WAIT}),map({places.run}/{name},5)]"'
    body = f'content-type "text/plain" lf-string "%[{_form(places)},map({places.run}/{name})]"'
    return f"{body} {wait} hdr Cache-Control no-store {_READABLE} hdr {_MARK} {status}"


def _form(places: Places) -> str:
    return f"var(txn.accept,{answers.DEFAULT_FORM}),map_sub({places.run}/{FORMS},{answers.DEFAULT_FORM})"
