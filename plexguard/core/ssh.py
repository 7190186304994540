"""The port for commands on another machine, by SSH. The same list gives the same result as on this one (host.LocalHost).

Who the other machine is must be known beforehand: a host key that is not in known_hosts, or is another, is never taken on trust.
Bulk goes by rsync over OpenSSH (core/rsync.py), with the same login.
"""

import contextlib
import logging
import os
import select
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed, NoPermission, PeerError, PlexguardError, TryAgain, Unavailable, UsageError
from plexguard.core.host import MAX_OUTPUT_BYTES, CommandFailed, CommandMissing, CommandTimeout, Completed

if TYPE_CHECKING:
    import paramiko

# A peer that is gone is noticed after so many unanswered signs of life.
KEEPALIVE_S, KEEPALIVES = 30, 5
CONNECT_S = 15.0
_PIECE_BYTES = 1 << 16
# Between attempts to connect, and after what time the address is asked for anew: that may be a call to a provider.
_AGAIN_S, _ASK_ANEW_S = 3.0, 30.0
# How timeout(1) ends when it had to end the command, env(1) when there is none, or it may not be run.
_OVERRAN, _FORBIDDEN, _MISSING = 124, 126, 127


class ConnectionLost(Unavailable):
    """The connection ended before the command did. What the command does there may go on."""


class HostKeyRefused(PeerError):
    """The other machine is not known, or is not the one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How a machine is reached. name: what it was called. keys: files of private keys, beside the usual ones and an agent.
    known_hosts: the files that say which host key is right."""

    name: str
    address: str
    user: str
    port: int = 22
    keys: tuple[str, ...] = ()
    known_hosts: tuple[str, ...] = ()


def find_login(text: str, *, home: Path | None = None) -> Login:
    """Return the login of "[USER@]HOST[:PORT]", with what ssh_config(5) of the one who runs this says of that host.

    Raises UsageError for what is none, and for a host behind another.
    """
    import paramiko

    user, _, place = text.rpartition("@")
    name, port = _split_port(place)
    if not name or name.startswith("-"):
        raise UsageError(f"{text}: no host, allowed is [USER@]HOST[:PORT]")
    folder = (home or Path.home()) / ".ssh"
    config = paramiko.SSHConfig()
    if (folder / "config").exists():
        config = paramiko.SSHConfig.from_path(str(folder / "config"))
    said = config.lookup(name)
    if "proxyjump" in said or "proxycommand" in said:
        raise UsageError(f"{name}: is reached through another host, which is not possible here")
    return Login(
        name=name,
        address=said.get("hostname", name),
        user=user or said.get("user") or os.environ.get("USER") or "root",
        port=port or int(said.get("port", 22)),
        keys=tuple(said.get("identityfile", ())),
        known_hosts=tuple(str(file) for file in (folder / "known_hosts", Path("/etc/ssh/ssh_known_hosts")) if file.exists()),
    )


def _split_port(place: str) -> tuple[str, int]:
    """Split HOST:PORT; an IPv6 address that has a port stands in brackets."""
    host, colon, port = place.rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):
        return place.strip("[]"), 0
    if not port.isdigit():
        raise UsageError(f"{place}: {port!r} is no port")
    return host.strip("[]"), int(port)


class SshHost:
    """Another machine."""

    def __init__(self, client: "paramiko.SSHClient", login: Login) -> None:
        self._client = client
        self._login = login

    @property
    def is_connected(self) -> bool:
        """Whether nothing is known yet of its loss."""
        transport = self._client.get_transport()
        return transport is not None and transport.is_active()

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        """Run a command to its end, as LocalHost.run() does. Raises ConnectionLost too."""
        kept: dict[str, bytearray] = {"out": bytearray(), "err": bytearray()}

        def keep(name: str) -> Callable[[bytes], None]:
            return lambda piece: kept[name].extend(piece[: max(0, MAX_OUTPUT_BYTES - len(kept[name]))])

        # The other machine ends the command, with its children, when its time is up: closing a connection ends nothing.
        limited = ("timeout", "--kill-after=2", f"{timeout_s:g}", *argv)
        began_s = time.monotonic()
        code = self.run_through(limited, out=keep("out"), err=keep("err"), timeout_s=timeout_s + CONNECT_S)
        if code in (_OVERRAN, 128 + 9) and time.monotonic() - began_s >= timeout_s:
            raise CommandTimeout(f"{shlex.join(argv)}: no end within {timeout_s:g} s")
        done = Completed(code=code, stdout=kept["out"].decode("utf-8", "replace"), stderr=kept["err"].decode("utf-8", "replace"))
        if code in (_MISSING, _FORBIDDEN) and done.stderr.startswith("timeout:"):
            raise CommandMissing(f"Failed to run {argv[0]} on {self._login.name}: {done.stderr.strip()}")
        if check and code != 0:
            last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:]) or "no output"
            raise CommandFailed(f"{shlex.join(argv)} on {self._login.name}: exit code {code}: {last}")
        return done

    def run_through(
        self, argv: Sequence[str], *, out: Callable[[bytes], None], err: Callable[[bytes], None], timeout_s: float | None = None
    ) -> int:
        """Run a command, handing on what it prints as it comes, and return its exit code. Without a time limit it lasts as long as
        the command and the connection. Raises ConnectionLost."""
        import paramiko

        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            # A protocol that knows no lists: the login's shell takes this line apart into the very same words.
            channel = self._transport().open_session(timeout=CONNECT_S)
            with contextlib.closing(channel):
                channel.exec_command(shlex.join(("env", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", *argv)))
                channel.shutdown_write()
                self._hand_on(channel, out, err, deadline_s)
                # -1: it was ended by a signal, or the connection was lost before it said how it ended.
                if not channel.status_event.wait(CONNECT_S) or channel.exit_status < 0:
                    raise ConnectionLost(f"{self._login.name}: the connection ended before {argv[0]} did")
                return int(channel.exit_status)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionLost(f"{self._login.name}: the connection was lost: {error}") from error

    def put(self, content: bytes, path: str) -> None:
        """Write a small file there, mode 0600. Raises ConnectionLost, NoPermission and IoFailed."""
        import paramiko

        try:
            with self._client.open_sftp() as sftp, sftp.open(path, "wx") as file:
                file.chmod(0o600)
                file.write(content)
        except PermissionError as error:
            raise NoPermission(f"Failed to write {path} on {self._login.name}: {error}") from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            what = f"Failed to write {path} on {self._login.name}: {error}"
            # Of a disk that is full SFTP says no more than that it failed.
            if isinstance(error, OSError) and self.is_connected:
                raise IoFailed(what) from error
            raise ConnectionLost(what) from error

    def _transport(self) -> "paramiko.Transport":
        transport = self._client.get_transport()
        if transport is None or not transport.is_active():
            raise ConnectionLost(f"{self._login.name}: the connection was lost")
        return transport

    def _hand_on(
        self, channel: "paramiko.Channel", out: Callable[[bytes], None], err: Callable[[bytes], None], deadline_s: float | None
    ) -> None:
        """Hand on both outputs until both have ended. Raises CommandTimeout."""
        while True:
            left_s = KEEPALIVE_S if deadline_s is None else deadline_s - time.monotonic()
            if left_s <= 0:
                raise CommandTimeout(f"{self._login.name}: no end of a command in time")
            select.select([channel], [], [], min(left_s, KEEPALIVE_S))
            while channel.recv_ready():
                out(channel.recv(_PIECE_BYTES))
            while channel.recv_stderr_ready():
                err(channel.recv_stderr(_PIECE_BYTES))
            if channel.eof_received or channel.closed or not self._transport().is_active():
                # What came between the last look and the end.
                while channel.recv_ready():
                    out(channel.recv(_PIECE_BYTES))
                while channel.recv_stderr_ready():
                    err(channel.recv_stderr(_PIECE_BYTES))
                return


@contextlib.contextmanager
def connect(login: Login) -> Iterator[SshHost]:
    """Connect for as long as the context lasts. Raises HostKeyRefused, NoPermission, Unavailable."""
    import paramiko

    # It tells of each failure twice, once by itself.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    client = paramiko.SSHClient()
    with contextlib.closing(client):
        for file in login.known_hosts:
            client.load_system_host_keys(file)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        _connect(client, login)
        yield SshHost(client, login)


def _connect(client: "paramiko.SSHClient", login: Login) -> None:
    import paramiko

    known = f"connect once by hand and compare its fingerprint: ssh -p {login.port} {login.user}@{login.address}"
    try:
        connection = socket.create_connection((login.address, login.port), timeout=CONNECT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, KEEPALIVE_S * KEEPALIVES * 1000)
        client.connect(
            login.address,
            port=login.port,
            username=login.user,
            key_filename=[file for file in login.keys if Path(file).exists()] or None,
            sock=connection,
            timeout=CONNECT_S,
            banner_timeout=CONNECT_S,
            auth_timeout=CONNECT_S,
        )
    except paramiko.BadHostKeyException as error:
        raise HostKeyRefused(f"{login.name}: its host key is not the one in known_hosts", hint=known) from error
    except paramiko.AuthenticationException as error:
        raise NoPermission(
            f"{login.name}: refuses {login.user}: {error}", hint=f"ssh-copy-id {login.user}@{login.address}"
        ) from error
    except paramiko.SSHException as error:
        if "known_hosts" in str(error):
            raise HostKeyRefused(f"{login.name}: its host key is in no known_hosts", hint=known) from error
        raise Unavailable(f"{login.name}: {error}") from error
    except (OSError, EOFError) as error:
        raise Unavailable(f"Failed to connect to {login.address} port {login.port}: {error}") from error
    transport = client.get_transport()
    assert transport is not None
    transport.set_keepalive(KEEPALIVE_S)


class Reconnecting:
    """Another machine, over a connection that is made anew for the next command where one was lost.

    A command that was under way is told as ConnectionLost and is not run again: what it has done is for its caller to find out.
    """

    def __init__(
        self,
        find: Callable[[], Login],
        *,
        clock: Clock,
        patience_s: float,
        bears: tuple[type[PlexguardError], ...] = (Unavailable, TryAgain),
        tell: Callable[[float, str], object] = lambda _away_s, _why: None,
    ) -> None:
        """find: asks how the machine is reached, which may be another address after a while. patience_s: for how long a connection
        is tried. bears: what it is tried again after. tell: is told after each attempt for how many seconds the machine is out of
        reach, and why; "" once it is reached."""
        self._find = find
        self._clock = clock
        self._patience_s = patience_s
        self._bears = bears
        self._tell = tell
        self._open = contextlib.ExitStack()
        self._host: SshHost | None = None

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        """Run a command to its end. Raises what SshHost.run() and connecting do."""
        return self._reach().run(argv, timeout_s=timeout_s, check=check)

    def put(self, content: bytes, path: str) -> None:
        self._reach().put(content, path)

    def close(self) -> None:
        self._host = None
        self._open.close()

    def _reach(self) -> SshHost:
        if self._host is not None and self._host.is_connected:
            return self._host
        self.close()
        began_s = self._clock.monotonic_s()
        deadline_s = began_s + self._patience_s
        login, asked_s = None, 0.0
        while True:
            try:
                if login is None or self._clock.monotonic_s() - asked_s >= _ASK_ANEW_S:
                    login, asked_s = self._find(), self._clock.monotonic_s()
                self._host = self._open.enter_context(connect(login))
                self._tell(self._clock.monotonic_s() - began_s, "")
                return self._host
            except self._bears as error:
                self._tell(self._clock.monotonic_s() - began_s, str(error))
                if self._clock.monotonic_s() >= deadline_s:
                    raise
            self._clock.sleep(_AGAIN_S)
