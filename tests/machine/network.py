"""A home network for a test machine: a switch, a router with DHCP and DNS, and an internet behind it that answers.

    with Lan() as lan, Machine(managed(Manager.NETWORKD), network=lan) as machine:
        lan.cause(Fault.GATEWAY)

All of it is in network namespaces of its own: addresses that belong to others exist only there, and the outer machine's
interfaces are never touched. `network_keeper.py` holds it and takes it down however we end.

The four endpoints answer ICMP, TCP 53 and 443, and DNS, where every name has one address; answers have no time to live,
so that nobody keeps them. A network has one machine at a time at its port, whose cable is plugged in anew at each boot; any number
more are joined to its switch, or live in it:

    with Lan() as lan, Machine(network=InSwitch(lan)) as house, Machine(network=AtSwitch(lan)) as other:
"""

import contextlib
import enum
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from tests.machine import inside, network_keeper
from tests.machine.errors import DeadlineMissed, MachineError

ENDPOINTS = ("1.1.1.1", "8.8.8.8", "208.67.222.222", "9.9.9.9")
GATEWAY = network_keeper.GATEWAY
PLAYER = network_keeper.PLAYER
WEB = network_keeper.WEB
_TIMEOUT_S = 30.0


class Fault(enum.StrEnum):
    """What can be wrong outside the machine."""

    LINK = "link"  # the cable is out: no carrier
    GATEWAY = "gateway"  # the router is off, the switch is not: no ARP, no ICMP, no DHCP, no DNS
    PORT = "port"  # the switch passes nothing to or from the machine until its link goes down and up again
    UPSTREAM = "upstream"  # the router lives and has nothing behind it
    ICMP = "icmp"  # nobody answers a ping; all else works
    DNS_SILENT = "dns-silent"  # the router's port 53 takes queries and never answers
    DNS_SERVFAIL = "dns-servfail"  # it answers each with SERVFAIL
    DNS_LIES = "dns-lies"  # it says of each name that it does not exist, and that for an hour


class Cable(Protocol):
    """How a machine is joined to a network."""

    def enter(self) -> list[str]:
        """Return what starts a command in the namespace where the outer end of the machine's cable is."""
        ...

    def nspawn_options(self) -> list[str]: ...


class Lan:
    """interface: its name in the machine."""

    def __init__(self, *, interface: str = "eth0") -> None:
        self.interface = interface
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        if reason := can_run_network():
            raise MachineError(reason)
        self._errors = tempfile.TemporaryFile()
        owner = os.pidfd_open(os.getpid())
        order = {"owner_fd": owner, "endpoints": ENDPOINTS}
        try:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "--"),
                    *(sys.executable, "-I", network_keeper.__file__, json.dumps(order)),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={"PATH": inside.PATH, "LANG": "C.UTF-8"},
                cwd="/",
                # Ctrl-C is for the tests; the network ends when they are done with it.
                start_new_session=True,
                pass_fds=(owner,),
            )
            self._await_done("start of the network")
        except BaseException:
            self._end()
            raise
        finally:
            os.close(owner)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def cause(self, fault: Fault) -> None:
        self._order(f"cause {fault}")

    def mend(self, fault: Fault) -> None:
        self._order(f"mend {fault}")

    def enter(self) -> list[str]:
        """Return what starts a command in the switch's namespace: a machine, whose cable then ends there."""
        return ["nsenter", f"--net=/proc/{self._keeper().pid}/ns/net", "--"]

    def nspawn_options(self) -> list[str]:
        return [f"--network-veth-extra={network_keeper.PORT}:{self.interface}"]

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Have this thread in the switch's namespace: sockets that are made meanwhile stay there."""
        namespace = os.open(f"/proc/{self._keeper().pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with network_keeper.entered(namespace):
                yield
        finally:
            os.close(namespace)

    def _order(self, line: str) -> None:
        pipe = self._keeper().stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):
            pipe.write(line.encode() + b"\n")
            pipe.flush()
        self._await_done(line)

    def _await_done(self, what: str) -> None:
        pipe = self._keeper().stdout
        assert pipe is not None
        deadline = time.monotonic() + _TIMEOUT_S
        while b"\n" not in self._unread:
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise DeadlineMissed(f"{what}: not within {_TIMEOUT_S:g} s\n{self._complaints()}")
            chunk = os.read(pipe.fileno(), 4096)
            if not chunk:
                raise MachineError(f"{what}: the network's keeper is gone\n{self._complaints()}")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        if line != b"done":
            raise MachineError(f"{what}: {line.decode('utf-8', 'replace')}")

    def _keeper(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise MachineError("network: not started; use it as a context")
        return self._process

    def _complaints(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")[-4000:]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        try:
            process.wait(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # unshare takes the keeper with it, and the kernel all the rest.
            process.kill()
            process.wait(timeout=_TIMEOUT_S)
        finally:
            self._errors.close()


@dataclass(frozen=True, slots=True)
class InSwitch:
    """A machine whose network is the switch's own: its address is PLAYER, its loopback that of whoever else is in there."""

    lan: Lan

    def enter(self) -> list[str]:
        return self.lan.enter()

    def nspawn_options(self) -> list[str]:
        return []


@dataclass(frozen=True, slots=True)
class AtSwitch:
    """A machine with a cable of its own into the switch, of which it finds the other end as host0. It is not set up inside."""

    lan: Lan

    def enter(self) -> list[str]:
        return self.lan.enter()

    def nspawn_options(self) -> list[str]:
        return [f"--network-bridge={network_keeper.SWITCH}"]


def can_run_network() -> str | None:
    """Return why there can be no network for a machine here, or None when there can."""
    missing = [program for program in ("dnsmasq", "ip") if shutil.which(program, path=inside.PATH) is None]
    return f"networks of test machines need {', '.join(missing)} (apt-get install dnsmasq-base iproute2)" if missing else None
