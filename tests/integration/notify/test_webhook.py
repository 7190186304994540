"""The webhook's sender against a server that is as nasty as real ones."""

import hashlib
import hmac
import socket
import ssl
import subprocess
from datetime import timedelta

import pytest

from plexguard.core.secret import Secret
from plexguard.notify.channels import open_sender
from plexguard.notify.config import Channel
from plexguard.notify.credentials import read_credentials
from plexguard.notify.message import Away, Busy, Refused, Rejected
from tests.fakes import receiver as moods
from tests.fakes.ports import FakeClock
from tests.unit.notify.messages import HUNG, changed


def sender_for(address: str, *, timeout_s: float = 30.0, path: str = "/hook?key=1", **secrets: str):
    channel = Channel(kind="webhook", url=f"{address}{path}", timeout=timedelta(seconds=timeout_s))
    return open_sender("hook", channel, {name: Secret(text) for name, text in secrets.items()}, clock=FakeClock())


def test_message_arrives_with_its_key(receiver):
    sender_for(receiver.url).send([HUNG])
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook?key=1")
    assert request.headers["idempotency-key"] == HUNG.id
    assert request.headers["content-type"] == "application/json"
    assert request.json["message"] == HUNG.message
    assert not {"authorization", "x-plexguard-signature"} & request.headers.keys()


def test_token_and_signature_travel_in_headers(receiver):
    sender_for(receiver.url, token="t0ken", hmac="key").send([HUNG])
    (request,) = receiver.requests
    assert request.headers["authorization"] == "Bearer t0ken"
    parts = dict(part.split("=") for part in request.headers["x-plexguard-signature"].split(","))
    assert int(parts["t"]) == int(FakeClock().now().timestamp())
    assert parts["sha256"] == hmac.new(b"key", parts["t"].encode() + b"." + request.body, hashlib.sha256).hexdigest()


def test_address_of_the_credential_wins(receiver):
    sender_for("http://127.0.0.1:1", url=f"{receiver.url}/secret").send([HUNG])
    assert receiver.requests[0].path == "/secret"


def test_connection_is_kept(receiver):
    sender = sender_for(receiver.url)
    for _ in range(3):
        sender.send([HUNG])
    assert len({request.connection for request in receiver.requests}) == 1


def test_connection_that_was_closed_meanwhile_is_opened_again(receiver):
    receiver.moods = [moods.closes_after(204)]
    sender = sender_for(receiver.url)
    sender.send([HUNG])
    sender.send([changed(id="2" * 32)])
    assert [request.headers["idempotency-key"] for request in receiver.requests] == [HUNG.id, "2" * 32]


@pytest.mark.parametrize(
    "mood, kind",
    [
        (moods.says(200, "<html>"), None),
        (moods.never_ends, None),
        (moods.says(400, "no"), Rejected),
        (moods.says(413), Rejected),
        (moods.says(401), Refused),
        (moods.says(404), Refused),
        (moods.says(500), Away),
        (moods.says(503), Away),
        (moods.cuts(b"half", 100), Away),
        (moods.resets, Away),
        (moods.resets_in_body, Away),
        (moods.speaks_no_http, Away),
    ],
    ids=["html", "endless", "400", "413", "401", "404", "500", "503", "cut", "reset", "reset in body", "no HTTP"],
)
def test_answer_means(receiver, mood, kind):
    receiver.moods = [mood]
    sender = sender_for(receiver.url)
    if kind is None:
        sender.send([HUNG])
    else:
        with pytest.raises(kind):
            sender.send([HUNG])
    # Whatever it was, the next call is a new one.
    sender.send([HUNG])
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("mood", [moods.hangs, moods.drips_headers, moods.drips_body], ids=lambda mood: mood.__name__)
def test_call_is_over_at_its_deadline_however_the_server_drips(receiver, mood):
    receiver.moods = [mood]
    with pytest.raises(Away, match="in time"):
        sender_for(receiver.url, timeout_s=0.3).send([HUNG])


def test_server_that_takes_no_connection_is_away():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Away, match="refused"):
        sender_for(f"http://127.0.0.1:{port}").send([HUNG])


def test_name_that_leads_nowhere_is_away():
    with pytest.raises(Away, match="leads nowhere"):
        sender_for("http://nothing.invalid").send([HUNG])


def test_redirect_is_not_followed(receiver):
    receiver.moods = [moods.redirects(f"{receiver.url}/elsewhere", 307)]
    with pytest.raises(Refused, match="elsewhere"):
        sender_for(receiver.url).send([HUNG])
    assert len(receiver.requests) == 1


def test_proxy_of_the_environment_is_not_used(receiver, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sender_for(receiver.url).send([HUNG])
    assert len(receiver.requests) == 1


def test_retry_after_is_passed_on(receiver):
    receiver.moods = [moods.says(429, Retry_After="17")]
    with pytest.raises(Busy) as caught:
        sender_for(receiver.url).send([HUNG])
    assert caught.value.retry_after_s == 17.0


def test_secret_address_is_in_no_error(receiver, tmp_path, monkeypatch):
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "notify.hook.url").write_text(f"{receiver.url}/T0PSECRET99/x", encoding="ascii")
    receiver.moods = [moods.says(404, "Cannot POST /T0PSECRET99/x"), moods.redirects("/T0PSECRET99/y"), moods.resets, moods.resets]
    channel = Channel(kind="webhook")
    sender = open_sender("hook", channel, read_credentials("hook", channel), clock=FakeClock())
    for kind in (Refused, Refused, Away):
        with pytest.raises(kind) as caught:
            sender.send([HUNG])
        assert "T0PSECRET99" not in str(caught.value)


def test_certificate_is_checked(receiver, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
    with pytest.raises(Away, match="certificate is not trusted"):
        sender_for(receiver.url.replace("http:", "https:")).send([HUNG])
    assert receiver.requests == []
