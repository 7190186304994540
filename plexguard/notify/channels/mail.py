"""Mail: a message through the machine's own sendmail.

Not from this process: the sandbox around it (NoNewPrivileges=) takes from exim4, postfix and dma the rights that their set-id bits
give. plexguard-mail@.service runs sendmail and is asked over a socket: a whole message in, then one line of JSON out.
"""

import json
import os
import re
import socket
import time
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import default as default_policy
from email.utils import format_datetime
from pathlib import Path

from plexguard.core.secret import mask
from plexguard.core.state import RUNTIME_ROOT
from plexguard.core.wire import seconds_left
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Limits, Message, Refused, Rejected, SendError
from plexguard.notify.text import clean, describe, make_title

SOCKET = RUNTIME_ROOT / "mail.socket"
# Kept from growing without end by who writes and by who reads.
MAX_MESSAGE_BYTES = 1024 * 1024
MAX_REPLY_BYTES = 16 * 1024
_MAX_SUBJECT = 250
_HOST = re.compile(r"[A-Za-z0-9.-]{1,200}", re.ASCII)
# sysexits(3), as sendmail programs end: what another time may mend, what is the recipients' or the configuration's fault, and what
# is the message's.
_REFUSALS = frozenset({os.EX_USAGE, os.EX_NOUSER, os.EX_NOHOST, os.EX_OSFILE, os.EX_NOPERM, os.EX_CONFIG})
_REJECTIONS = frozenset({os.EX_DATAERR, os.EX_NOINPUT})
_HINTS = {
    os.EX_OSFILE: 'install a mail system (apt-get install dma), or set "sendmail" in [notify]',
    os.EX_NOUSER: 'is "to" right?',
    os.EX_NOHOST: 'is "to" right?',
}


class MailSender:
    def __init__(self, channel: Channel, path: Path = SOCKET) -> None:
        self.limits = Limits(batch=1, per_second=channel.calls_per_second, timeout_s=channel.timeout.total_seconds())
        self._channel = channel
        self._path = path

    def send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            code, reason = self._hand_over(render_mail(message, self._channel))
            failure = judge_exit(code, reason)
            if failure is not None:
                raise failure

    def _hand_over(self, mail: bytes) -> tuple[int, str]:
        deadline = time.monotonic() + self.limits.timeout_s
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            try:
                plain.settimeout(seconds_left(deadline))
                plain.connect(str(self._path))
                plain.sendall(mail)
                plain.shutdown(socket.SHUT_WR)
                return read_reply(_read_all(plain, deadline))
            except TimeoutError as error:
                raise Away("sendmail: no answer in time") from error
            except (FileNotFoundError, ConnectionRefusedError, PermissionError) as error:
                raise Refused(f"{self._path}: {error.strerror}", hint="systemctl enable --now plexguard-mail.socket") from error
            except OSError as error:
                raise Away(f"{self._path}: {error.strerror}") from error


def _read_all(plain: socket.socket, deadline: float) -> bytes:
    found = b""
    while len(found) < MAX_REPLY_BYTES:
        plain.settimeout(seconds_left(deadline))
        chunk = plain.recv(4096)
        if not chunk:
            break
        found += chunk
    return found


def read_reply(line: bytes) -> tuple[int, str]:
    """Return the exit code of sendmail and its words. Raises Away for anything else. Pure."""
    try:
        reply = json.loads(line)
        return int(reply["code"]), str(reply["reason"])
    except (ValueError, KeyError, TypeError) as error:
        raise Away("sendmail: no answer: the mail service ended early") from error


def judge_exit(code: int, reason: str) -> SendError | None:
    """Return what an exit code of sendmail means, None when it took the message. Pure."""
    said = f"sendmail: {mask(reason) or 'no reason given'} (exit code {code})"
    if code == os.EX_OK:
        return None
    if code in _REFUSALS:
        return Refused(said, hint=_HINTS.get(code, ""))
    return Rejected(said) if code in _REJECTIONS else Away(said)


def render_mail(message: Message, channel: Channel) -> bytes:
    """Return a message as RFC 5322 has it, with "\\n" as sendmail reads it. Pure."""
    mail = EmailMessage(policy=default_policy.clone(cte_type="7bit"))
    mail["Subject"] = _one_line(f"[{message.host}] {make_title(message)}" if message.host else make_title(message))[:_MAX_SUBJECT]
    mail["To"] = ", ".join(channel.to)
    # Without one, sendmail writes that of the user that it runs as.
    if channel.sender:
        mail["From"] = channel.sender
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = _message_id(message.id, message.host)
    if message.problem_id:
        # Mail programs show a recovery under its problem.
        mail["In-Reply-To"] = mail["References"] = _message_id(message.problem_id, message.host)
    # RFC 3834: no out-of-office note comes back.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Plexguard-Event"] = _one_line(message.name)
    mail["X-Plexguard-Severity"] = _one_line(message.severity)
    mail.set_content(clean(_body(message)))
    return mail.as_bytes()


def _body(message: Message) -> str:
    facts = [f"{name}: {value}" for name, value in message.details.items()]
    where = [f"host: {message.host}", f"time: {message.at.isoformat(timespec='seconds')}", f"event: {message.name}"]
    unit = [f"unit: {message.unit}"] if message.unit else []
    return "\n\n".join([describe(message), "\n".join([*where, *unit, *facts])]) + "\n"


def _message_id(event_id: str, host: str) -> str:
    place = host if _HOST.fullmatch(host) else "localhost"
    return f"<{re.sub(r'[^A-Za-z0-9]', '', event_id)}.plexguard@{place}>"


def _one_line(text: str) -> str:
    """Return what a header may hold: no line ends, no control characters, nothing that ends a header."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(clean(text))).split())
