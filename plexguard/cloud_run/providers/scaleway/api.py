"""Calls to Scaleway: each with time limits, repeated where that does no harm, with an end; and what a refusal means.

The key goes out in a header and nowhere else. No proxy of the environment is used, and no redirect is followed.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from plexguard.cloud_run.config import KEY_CREDENTIAL
from plexguard.cloud_run.providers.provider import OutOfStock, QuotaExceeded
from plexguard.core.clock import Clock
from plexguard.core.errors import MissingInput, NoPermission, PeerError, TryAgain, Unavailable
from plexguard.core.events import show_path
from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, mask

_CONNECT_S, _READ_S = 10.0, 30.0
_MAX_BYTES = 16 << 20
_PAGE = 100
_MOST_PAGES = 100
# Between the attempts of one call; half a minute in all.
_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
_KEY_HINT = f"write a valid key into {ADMIN_CREDENTIALS / KEY_CREDENTIAL}, see man plexguard-cloud-run"
# What the key's policy must hold, by the part of the API that refuses.
_RIGHTS = {"/instance/": "InstancesFullAccess", "/block/": "BlockStorageFullAccess"}
_KEY_FAULTS = {"expired": "expired", "not_found": "unknown", "invalid_argument": "none at all"}
_MAX_WORDS = 300


class NotThere(MissingInput):
    """What was asked for is not there."""


class Busy(TryAgain):
    """It was not done, and may be in a moment."""


class Unsure(Unavailable):
    """No answer, or one that says nothing: it may have been done or not."""


class Api:
    """Scaleway, by a key. date: when it last answered, by its own clock."""

    def __init__(self, url: str, key: Secret, clock: Clock) -> None:
        self._url = url
        self._key = key
        self._clock = clock
        self._date: datetime | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    @property
    def date(self) -> datetime:
        """Raises PeerError when the last answer had no date: then nothing is past its deadline, and nothing is not."""
        if self._date is None:
            raise PeerError(f"{self._url}: the answer has no date")
        return self._date

    def ask(self, method: str, path: str, *, body: object = None, text: bytes | None = None) -> Any:
        """Make a call that may be made again, and return its answer, None where it is empty.

        Raises NotThere, Busy and Unsure (after the last attempt), NoPermission, OutOfStock, QuotaExceeded, PeerError.
        """
        for pause_s in _PAUSES_S:
            try:
                return self.ask_once(method, path, body=body, text=text)
            except (Busy, Unsure):
                self._clock.sleep(pause_s)
        return self.ask_once(method, path, body=body, text=text)

    def ask_once(self, method: str, path: str, *, body: object = None, text: bytes | None = None) -> Any:
        """Make a call that must not be made again blindly. Raises as ask() does."""
        return self._send(method, path, {}, body=body, text=text)[0]

    def pages(self, path: str, key: str, *, size_key: str = "per_page", **query: str) -> Iterator[Any]:
        """Yield what stands under `key` of each page of a list. Raises PeerError where not all of it came, and as ask() does.

        size_key: how the API calls the size of a page, in which the two generations of it differ.
        """
        seen = 0
        for page in range(1, _MOST_PAGES + 1):
            answer, headers = self._ask_page(path, {**query, "page": str(page), size_key: str(_PAGE)})
            rows = answer.get(key) if isinstance(answer, dict) else None
            if not isinstance(rows, list | dict):
                raise PeerError(f"{path}: the answer has no {key}")
            yield rows
            seen += len(rows)
            total = str(headers.get("X-Total-Count") or answer.get("total_count") or "")
            if (total.isdecimal() and seen >= int(total)) or (not total.isdecimal() and len(rows) < _PAGE):
                return
            if not rows:
                break
        raise PeerError(f"{path}: not all of it came")

    def _ask_page(self, path: str, query: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        for pause_s in _PAUSES_S:
            try:
                return self._send("GET", path, query)
            except (Busy, Unsure):
                self._clock.sleep(pause_s)
        return self._send("GET", path, query)

    def _send(
        self, method: str, path: str, query: Mapping[str, str], *, body: object = None, text: bytes | None = None
    ) -> tuple[Any, Mapping[str, str]]:
        headers = {"X-Auth-Token": self._key.reveal(), "Accept": "application/json"}
        if text is not None:
            headers["Content-Type"] = "text/plain"
        try:
            with self._session.request(
                method,
                self._url + path,
                params=query,
                json=body,
                data=text,
                headers=headers,
                timeout=(_CONNECT_S, _READ_S),
                allow_redirects=False,
                stream=True,
            ) as response:
                content = _read(response)
        except requests.RequestException as error:
            # Its words name the whole address, and never the key, which is a header.
            raise Unsure(f"{self._url}: {method} {path}: {mask(str(error))[:_MAX_WORDS]}") from error
        self._date = _read_date(response.headers.get("Date", ""))
        if response.status_code >= 300:
            raise judge(response.status_code, _parse(content), f"{method} {path}", response.headers.get("X-Request-Id", ""))
        answer = _parse(content)
        if answer is None and (content or method == "GET"):
            # Also of one that broke off: requests does not compare what came with what was promised.
            raise Unsure(f"{method} {path}: the answer is not JSON, or not all of it")
        return answer, response.headers


def _read(response: requests.Response) -> bytes:
    content = b""
    for piece in response.iter_content(1 << 16):
        content += piece
        if len(content) > _MAX_BYTES:
            raise PeerError(f"{response.url}: the answer is far too long")
    return content


def _read_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _parse(content: bytes) -> Any:
    """Return what an answer says, None when it is empty or no JSON, as refusals may be."""
    import json

    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def judge(status: int, answer: Any, call: str, request_id: str) -> Exception:
    """Return what a refusal means. Pure. Source: recorded answers of the API, and the models of its official clients."""
    said = answer if isinstance(answer, dict) else {}
    kind, message = str(said.get("type", "")), str(said.get("message", ""))
    words = show_path(mask(" ".join((message, _details(said)))).strip()[:_MAX_WORDS]) or f"status {status}"
    text = f"{call}: {words}" + (f" (request {request_id})" if request_id else "")
    is_quota = kind == "quotas_exceeded" or (status == 403 and message.lower().startswith("quota exceeded"))
    is_passing = kind == "transient_state" or (
        kind == "precondition_failed" and said.get("precondition") == "resource_still_in_use"
    )
    if is_quota:
        return QuotaExceeded(text, hint="ask Scaleway for a higher quota, or choose a smaller instance")
    if kind == "out_of_stock":
        return OutOfStock(text, hint="name more zones in [cloud-run], or another type in the run's file")
    if status == 404:
        return NotThere(text)
    if status == 429 or is_passing or (status == 409 and kind in ("", "conflict")):
        return Busy(text)
    if status >= 500 or status == 408:
        return Unsure(text)
    if status == 401 or kind == "denied_authentication":
        return NoPermission(f"The key is {_KEY_FAULTS.get(str(said.get('reason')), 'refused')}: {text}", hint=_KEY_HINT)
    if status == 403:
        right = next((right for part, right in _RIGHTS.items() if part in call), "")
        wanted = f"give its application {right} for the project" if right else "give its application the rights it lacks"
        return NoPermission(f"The key lacks a right{f', {right}' if right else ''}: {text}", hint=wanted)
    return PeerError(text)


def _details(said: Mapping[str, Any]) -> str:
    """Return what an error says beside its message: which arguments, which rights."""
    given = said.get("details")
    rows = (
        given
        if isinstance(given, list)
        else [{name: said[name] for name in ("fields", "precondition", "help_message") if name in said}]
    )
    return "; ".join(" ".join(str(value) for value in row.values()) for row in rows if isinstance(row, dict) and row)
