"""Apprise, the real library, over its json:// scheme."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from plexguard.core.secret import Secret
from plexguard.notify.channels import open_sender
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Refused, Rejected
from tests.fakes import receiver as moods
from tests.fakes.ports import FakeClock
from tests.unit.notify.messages import HUNG, RECOVERED, changed

pytest.importorskip("apprise")


def sender_for(urls: str, *, timeout_s: float = 30.0):
    channel = Channel(kind="apprise", timeout=timedelta(seconds=timeout_s))
    return open_sender("any", channel, {"url": Secret(urls)}, clock=FakeClock())


def address(receiver, path: str = "/") -> str:
    return receiver.url.replace("http:", "json:") + path


def test_message_arrives(receiver):
    sender_for(address(receiver)).send([HUNG])
    (request,) = receiver.requests
    assert request.json["title"] == HUNG.title
    assert HUNG.message in request.json["message"]
    assert request.json["type"] == "failure"


def test_kinds_have_their_colours(receiver):
    sender_for(address(receiver)).send([RECOVERED, changed(severity="warning"), changed(severity="notice")])
    assert [request.json["type"] for request in receiver.requests] == ["success", "warning", "info"]


def test_several_addresses_all_get_it(receiver):
    sender_for(f"{address(receiver, '/a')}\n{address(receiver, '/b')}").send([HUNG])
    assert sorted(request.path for request in receiver.requests) == ["/a", "/b"]


def test_service_that_fails_is_away_with_what_the_library_said(receiver):
    receiver.moods = [moods.says(500)]
    with pytest.raises(Away, match="500"):
        sender_for(address(receiver)).send([HUNG])


@pytest.mark.parametrize("status", [400, 413, 422])
def test_message_that_a_service_does_not_take_is_rejected(receiver, status):
    receiver.moods = [moods.says(status)]
    with pytest.raises(Rejected, match=str(status)):
        sender_for(address(receiver)).send([HUNG])


def test_message_at_which_the_child_dies_is_rejected(receiver):
    with pytest.raises(Rejected, match="without a word"):
        sender_for(address(receiver)).send([changed(title=None, message=None)])


@pytest.mark.parametrize("url", ["foo://x", "mailto://", "nonsense"])
def test_address_that_it_does_not_know_is_refused_and_not_shown(receiver, url):
    with pytest.raises(Refused, match="number 2") as caught:
        sender_for(f"{address(receiver)} {url}").send([HUNG])
    assert url not in str(caught.value)
    assert receiver.requests == []


def test_service_that_hangs_is_given_up_at_the_deadline(receiver):
    receiver.moods = [moods.drips_body]
    with pytest.raises(Away, match="in time"):
        sender_for(address(receiver), timeout_s=1.5).send([HUNG])


def test_library_stays_in_the_child(receiver):
    code = f"""
import sys
sys.path.insert(0, {os.getcwd()!r})
from tests.integration.notify.test_apprise import sender_for, HUNG
sys.modules.pop("apprise", None)
sender_for({address(receiver)!r}).send([HUNG])
sys.exit("apprise" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(receiver.requests) == 1
