"""A claim token by an account's own token, from a server that answers as plex.tv does, and as it does not."""

from collections.abc import Iterator

import pytest

from plexguard.cloud_run.server.plex_tv import fetch_claim
from plexguard.core.errors import NoPermission, PeerError, PlexguardError, Unavailable
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeClock
from tests.fakes.receiver import Mood, Receiver, redirects, resets, running, says

ACCOUNT = Secret("account-token-of-mine")
TOKEN = "claim-AbCdEfGhIjKlMnOp1234"


@pytest.fixture
def plex_tv() -> Iterator[Receiver]:
    with running(Receiver(says(200, {"token": TOKEN}))) as server:
        yield server


def test_account_gets_a_claim_token_and_its_own_goes_out_in_a_header_alone(plex_tv: Receiver) -> None:
    token = fetch_claim(ACCOUNT, FakeClock(), url=plex_tv.url)

    (request,) = plex_tv.requests
    assert token.reveal() == TOKEN
    assert request.path == "/api/claim/token.json"
    assert request.headers["x-plex-token"] == ACCOUNT.reveal()


def test_server_that_is_away_for_a_moment_is_asked_again(plex_tv: Receiver) -> None:
    plex_tv.moods = [resets, says(503)]
    clock = FakeClock()

    assert fetch_claim(ACCOUNT, clock, url=plex_tv.url).reveal() == TOKEN
    assert clock.slept == [2.0, 5.0]


@pytest.mark.parametrize(
    ("mood", "error", "requests"),
    [
        (says(401), NoPermission, 1),
        (says(500), Unavailable, 4),
        (says(200, "<html>"), PeerError, 1),
        (says(200, {"token": "https://example.com/"}), PeerError, 1),
        (redirects("http://127.0.0.1:1/"), PeerError, 1),
        (says(200, "[" * 100_000), PeerError, 1),
    ],
    ids=["refused", "away", "no answer", "no token", "elsewhere", "endless"],
)
def test_no_token_is_told_for_what_it_is(plex_tv: Receiver, mood: Mood, error: type[PlexguardError], requests: int) -> None:
    plex_tv.usual = mood

    with pytest.raises(error) as caught:
        fetch_claim(ACCOUNT, FakeClock(), url=plex_tv.url)
    assert len(plex_tv.requests) == requests
    assert ACCOUNT.reveal() not in f"{caught.value}{caught.value.hint}"
