"""The port to the network: questions that are asked all at once with one time limit, and what the kernel says in files."""

import contextlib
import enum
import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ICMP = 0
_INTERFACES = Path("/sys/class/net")
_MAX_FILE_BYTES = 1024 * 1024
_DENIED = (errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
# Type of an echo request and of its reply, of ICMP (RFC 792) and of ICMPv6 (RFC 4443).
_ECHO: dict[int, tuple[int, int]] = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}


class Reply(enum.Enum):
    """How one question ended."""

    ANSWERED = "answers"
    REFUSED = "refused"  # somebody said no: there is a way to somebody, not necessarily to whom was asked
    UNREACHABLE = "unreachable"  # the kernel or a router on the way said so at once
    SILENT = "no answer"
    DENIED = "not allowed here"  # this machine forbids the question: nothing is learnt


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask and how. port: of TCP, or ICMP. An IPv6 address may end in %interface."""

    address: str
    port: int

    @property
    def method(self) -> str:
        return "icmp" if self.port == ICMP else f"tcp {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """seconds: how long the answer took, None without one."""

    target: Target
    reply: Reply
    seconds: float | None = None


class Network(Protocol):
    def ask(self, targets: Sequence[Target], *, timeout_s: float, whole: bool) -> tuple[Answer, ...]:
        """Ask all targets at once and wait until the first answers; with whole, until each has or its time is up."""
        ...

    def read(self, path: str) -> str:
        """Return what a small file of the kernel or of a network manager says, "" when it cannot be read."""
        ...

    def interfaces(self) -> tuple[str, ...]: ...


class SystemNetwork:
    """This machine's."""

    def ask(self, targets: Sequence[Target], *, timeout_s: float, whole: bool) -> tuple[Answer, ...]:
        began = time.monotonic()
        found: dict[Target, Answer] = {}
        with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
            for target in targets:
                question = stack.enter_context(contextlib.closing(_Question(target)))
                if question.reply is None and question.socket is not None:
                    selector.register(question.socket, question.waits_for, question)
                else:
                    found[target] = Answer(target=target, reply=question.reply or Reply.DENIED)
            while selector.get_map() and (whole or not _is_answered(found)):
                ready = selector.select(max(0.0, began + timeout_s - time.monotonic()))
                if not ready:
                    break
                for key, _ in ready:
                    reply = key.data.hear()
                    if reply is not None:
                        selector.unregister(key.fileobj)
                        took_s = time.monotonic() - began if reply is Reply.ANSWERED else None
                        found[key.data.target] = Answer(target=key.data.target, reply=reply, seconds=took_s)
                if time.monotonic() > began + timeout_s:
                    break
        return tuple(found.get(target, Answer(target=target, reply=Reply.SILENT)) for target in targets)

    def read(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                return file.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def interfaces(self) -> tuple[str, ...]:
        try:
            return tuple(sorted(os.listdir(_INTERFACES)))
        except OSError:
            return ()


def _is_answered(found: dict[Target, Answer]) -> bool:
    return any(answer.reply is Reply.ANSWERED for answer in found.values())


class _Question:
    """One question on its way. reply: set at once when it cannot even be sent."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.reply: Reply | None = None
        self.socket: socket.socket | None = None
        self._token = os.urandom(16)
        try:
            self._send()
        except OSError as error:
            self.reply = _judge_error(error.errno or errno.EIO)

    @property
    def waits_for(self) -> int:
        return selectors.EVENT_READ if self.target.port == ICMP else selectors.EVENT_WRITE

    def hear(self) -> Reply | None:
        """Return what has come, None when it was somebody else's."""
        assert self.socket is not None
        if self.target.port != ICMP:
            return _judge_error(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        try:
            packet = self.socket.recv(2048)
        except OSError as error:
            return _judge_error(error.errno or errno.EIO)
        is_raw = self.socket.type == socket.SOCK_RAW
        return Reply.ANSWERED if is_echo_reply(packet, self.socket.family, self._token, is_raw=is_raw) else None

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()

    def _send(self) -> None:
        family, address = _parse_address(self.target.address, self.target.port)
        if self.target.port != ICMP:
            self.socket = socket.socket(family, socket.SOCK_STREAM)
            self.socket.setblocking(False)
            code = self.socket.connect_ex(address)
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, os.strerror(code))
            return
        self.socket = _open_icmp(family)
        self.socket.setblocking(False)
        self.socket.connect(address)
        self.socket.send(make_echo(_ECHO[family][0], self._token))


def is_echo_reply(packet: bytes, family: int, token: bytes, *, is_raw: bool) -> bool:
    """Tell whether a packet answers the request with that token.

    is_raw: from a raw socket, which hears every ICMP packet, the request itself too, and those of IPv4 with their IP header.
    """
    if is_raw and family == socket.AF_INET and packet:
        packet = packet[(packet[0] & 0x0F) * 4 :]
    return packet[:1] == bytes([_ECHO[family][1]]) and packet[8 : 8 + len(token)] == token


def _judge_error(code: int) -> Reply:
    if code == 0:
        return Reply.ANSWERED
    if code == errno.ECONNREFUSED:
        return Reply.REFUSED
    if code == errno.ETIMEDOUT:
        return Reply.SILENT
    return Reply.DENIED if code in _DENIED else Reply.UNREACHABLE


def _parse_address(text: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]:
    address, _, interface = text.partition("%")
    if ":" not in address:
        return socket.AF_INET, (address, port)
    return socket.AF_INET6, (address, port, 0, socket.if_nametoindex(interface) if interface else 0)


def _open_icmp(family: socket.AddressFamily) -> socket.socket:
    """Open a socket for echo requests: the one that needs no right where the kernel gives it to us, else a raw one.

    Source: icmp(7), net.ipv4.ping_group_range, which is "1 0" (nobody) unless somebody sets it; Debian does not.
    """
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:
        return socket.socket(family, socket.SOCK_RAW, protocol)


def make_echo(kind: int, token: bytes) -> bytes:
    head = struct.pack("!BBHHH", kind, 0, 0, os.getpid() & 0xFFFF, 1)
    return struct.pack("!BBHHH", kind, 0, _checksum(head + token), os.getpid() & 0xFFFF, 1) + token


def _checksum(packet: bytes) -> int:
    """Return the internet checksum (RFC 1071) of a packet of even length. For ICMPv6 the kernel reckons its own."""
    total = sum(_words(packet))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _words(packet: bytes) -> Iterator[int]:
    return (word for (word,) in struct.iter_unpack("!H", packet))
