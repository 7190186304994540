"""A claim token from plex.tv, by an account's own long-lived token: for runs at which nobody sits.

Source: /api/claim/token.json as python-plexapi and others ask for it. The account's token goes out in a header and nowhere else.
"""

import json
from itertools import islice

import requests

from plexguard.cloud_run.server.claim import ACCOUNT_CREDENTIAL, is_claim
from plexguard.core.clock import Clock
from plexguard.core.errors import NoPermission, PeerError, Unavailable
from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, mask

PLEX_TV = "https://plex.tv"
_PATH = "/api/claim/token.json"
_CONNECT_S, _READ_S = 10.0, 30.0
# The answer has a hundred bytes; of a longer one the rest is left.
_PIECE_BYTES, _PIECES = 1 << 10, 16
# Between the attempts; a token that comes late is as good.
_PAUSES_S = (2.0, 5.0, 10.0)
_MAX_WORDS = 200


def fetch_claim(account: Secret, clock: Clock, *, url: str = PLEX_TV) -> Secret:
    """Return a new claim token. Raises NoPermission, Unavailable (after the last attempt) and PeerError."""
    for pause_s in _PAUSES_S:
        try:
            return _fetch(account, url)
        except Unavailable:
            clock.sleep(pause_s)
    return _fetch(account, url)


def _fetch(account: Secret, url: str) -> Secret:
    headers = {"X-Plex-Token": account.reveal(), "X-Plex-Client-Identifier": "plexguard", "Accept": "application/json"}
    try:
        with requests.Session() as session:
            session.trust_env = False
            with session.get(
                url + _PATH, headers=headers, timeout=(_CONNECT_S, _READ_S), allow_redirects=False, stream=True
            ) as response:
                content = b"".join(islice(response.iter_content(_PIECE_BYTES), _PIECES))
    except requests.RequestException as error:
        raise Unavailable(f"{url}: {mask(str(error))[:_MAX_WORDS]}") from error
    if response.status_code in (401, 403):
        raise NoPermission(
            f"{url} refuses the account's token: status {response.status_code}",
            hint=f"write a valid one into {ADMIN_CREDENTIALS / ACCOUNT_CREDENTIAL}, or remove that file to be asked",
        )
    if response.status_code == 429 or response.status_code >= 500:
        raise Unavailable(f"{url}: status {response.status_code}")
    return _parse(url, response.status_code, content)


def _parse(url: str, status: int, content: bytes) -> Secret:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError):
        said = None
    token = said.get("token") if isinstance(said, dict) else None
    if status != requests.codes.ok or not isinstance(token, str) or not is_claim(token):
        raise PeerError(f"{url}: status {status}, and no claim token in the answer")
    return Secret(token)
