"""A client of the fake cloud is killed at an exact call, before or after that takes effect."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.fakes.ports import FakeClock
from tests.fakes.scaleway import SECRET_KEY, Dropped, FakeScaleway
from tests.integration.fakes.scaleway_calls import Caller, kinds
from tests.waiting import await_true


@pytest.fixture
def cloud() -> Iterator[FakeScaleway]:
    with FakeScaleway(clock=FakeClock()) as cloud:
        yield cloud


@pytest.fixture
def caller(cloud: FakeScaleway) -> Caller:
    return Caller(cloud.url)


class Client:
    """A process that makes three calls, the second of which creates a server, and says after each that it has the answer."""

    def __init__(self, caller: Caller, wish: dict[str, object]) -> None:
        script = (
            "import http.client, json, sys\n"
            f"calls = [('GET', 'servers', None), ('POST', 'servers', {wish!r}), ('GET', 'ips', None)]\n"
            "for method, path, body in calls:\n"
            f"    connection = http.client.HTTPConnection({caller.place!r}, timeout=30)\n"
            "    data = json.dumps(body) if body else None\n"
            f"    headers = {{'X-Auth-Token': {SECRET_KEY!r}}}\n"
            "    connection.request(method, '/instance/v1/zones/fr-par-1/' + path, data, headers)\n"
            "    print(connection.getresponse().status, flush=True)\n"
        )
        self.process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def said(self) -> list[str]:
        assert self.process.stdout is not None
        lines = self.process.stdout.read().split()
        self.process.wait()
        return lines


@pytest.mark.parametrize(("when", "left"), [("before", []), ("after", ["l_ssd", "server"])])
def test_a_client_is_killed_before_or_after_its_create(caller: Caller, cloud: FakeScaleway, when: str, left: list[str]) -> None:
    wish, first = caller.wish(), len(cloud.requests)
    victims: list[Client] = []

    def kill(number: int) -> None:
        if number == first + 2:
            victims[0].kill()
            raise Dropped

    setattr(cloud, when, kill)
    # No call comes before it is here: the process takes longer to begin than this line.
    victims.append(Client(caller, wish))

    assert victims[0].said() == ["200"] and victims[0].process.returncode == -signal.SIGKILL
    await_true(lambda: kinds(cloud) == left)
    assert [row.status for row in cloud.requests[first:]] == [200, None]


@pytest.mark.parametrize(("switch", "left"), [("hold_before", []), ("hold_after", ["l_ssd", "server"])])
def test_a_request_is_held_until_its_client_is_gone(caller: Caller, cloud: FakeScaleway, switch: str, left: list[str]) -> None:
    wish = caller.wish()
    number = len(cloud.requests) + 2
    cloud.set(**{switch: number})
    client = Client(caller, wish)

    await_true(lambda: cloud.held == {number})
    client.kill()
    await_true(lambda: not cloud.held)

    assert kinds(cloud) == left
    assert client.said() == ["200"]


def test_a_request_that_was_held_goes_on_when_all_is_well(caller: Caller, cloud: FakeScaleway) -> None:
    wish = caller.wish()
    number = len(cloud.requests) + 2
    cloud.set(hold_before=number)
    client = Client(caller, wish)
    await_true(lambda: cloud.held == {number})

    cloud.heal()

    assert client.said() == ["200", "201", "200"]
