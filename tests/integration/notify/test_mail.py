"""Mail from the sender over the socket to what runs sendmail."""

import contextlib
import email
import json
import os
import socket
import threading
from datetime import timedelta
from email.policy import default

import pytest

from plexguard.notify import sendmail
from plexguard.notify.channels.mail import MAX_MESSAGE_BYTES, MailSender
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Refused, Rejected
from tests.unit.notify.messages import HUNG


@pytest.fixture
def mail_service(tmp_path):
    """Start a service that takes one connection and runs a script as sendmail; return a sender for it."""
    with contextlib.ExitStack() as stack:

        def start(script: str | None, *, timeout_s: float = 30.0) -> MailSender:
            program, path = tmp_path / "sendmail", tmp_path / "socket"
            if script is not None:
                program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
                program.chmod(0o755)
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            listener.bind(str(path))
            listener.listen()

            def serve() -> None:
                connection, _ = listener.accept()
                with connection:
                    sendmail.serve(connection, str(program))

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 10)
            return MailSender(Channel(kind="mail", timeout=timedelta(seconds=timeout_s)), path)

        yield start


def test_mail_is_given_to_sendmail_as_it_is(mail_service, tmp_path):
    mail_service(f'echo "$*" > {tmp_path}/arguments; cat > {tmp_path}/mail; echo noise; exit 0\n').send([HUNG])
    assert (tmp_path / "arguments").read_text() == "-i -t\n"
    mail = email.message_from_bytes((tmp_path / "mail").read_bytes(), policy=default)
    assert mail["Subject"] == "[tower] Plex hangs" and mail["To"] == "root"


@pytest.mark.parametrize(
    "script, kind, said",
    [
        ("cat >/dev/null; exit 75", Away, "75"),
        ("echo first >&2; echo 'user unknown' >&2; exit 67", Refused, "user unknown"),
        ("exit 64", Refused, "64"),
        ("exit 65", Rejected, "65"),
        ("kill -9 $$", Away, "signal 9"),
        (None, Refused, "No such file"),
    ],
    ids=["75", "67", "64", "65", "killed", "missing"],
)
def test_exit_code_means(mail_service, script, kind, said):
    with pytest.raises(kind, match=said):
        mail_service(script).send([HUNG])


def test_what_goes_on_in_the_background_is_not_waited_for(mail_service):
    # It keeps stdout and stderr, as exim and dma do while they deliver.
    mail_service("(sleep 100 & echo $! >&2); exit 0\n", timeout_s=60.0).send([HUNG])


def test_sendmail_that_hangs_is_away(mail_service):
    with pytest.raises(Away, match="in time"):
        mail_service("exec sleep 3\n", timeout_s=0.2).send([HUNG])


def test_sendmail_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(sendmail, "RUN_TIMEOUT_S", 0.2)
    program = tmp_path / "sendmail"
    program.write_text("#!/bin/sh\nsleep 1000\n", encoding="ascii")
    program.chmod(0o755)
    code, reason = sendmail.run_sendmail(str(program), b"x")
    assert code == os.EX_TEMPFAIL and "did not end" in reason


def test_socket_that_is_not_there_says_what_to_start(tmp_path):
    with pytest.raises(Refused) as caught:
        MailSender(Channel(kind="mail"), tmp_path / "none").send([HUNG])
    assert "plexguard-mail.socket" in caught.value.hint


def test_service_that_ends_early_is_away(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        thread.start()
        with pytest.raises(Away):
            MailSender(Channel(kind="mail"), path).send([HUNG])
        thread.join(10)


@pytest.mark.parametrize("sent", [b"", b"x" * (MAX_MESSAGE_BYTES + 1)], ids=["nothing", "too much"])
def test_message_that_is_none_reaches_no_sendmail(tmp_path, sent):
    ours, theirs = socket.socketpair()
    with ours, theirs:

        def write() -> None:
            with contextlib.suppress(OSError):
                ours.sendall(sent)
                ours.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        sendmail.serve(theirs, "/bin/false")
        assert json.loads(ours.recv(4096))["code"] == os.EX_DATAERR
        theirs.close()
        thread.join(10)


def test_message_that_never_ends_is_given_up(monkeypatch):
    monkeypatch.setattr(sendmail, "READ_TIMEOUT_S", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"Subject: x\n")
        sendmail.serve(theirs, "/bin/true")
        assert json.loads(ours.recv(4096))["code"] == os.EX_TEMPFAIL
