"""The process that keeps one network: its namespaces, the cables between them, and whoever answers there.

    machine eth0 -- port [switch] uplink -- lan [router] wan -- isp [internet]

It is started by network.py with `unshare --net --mount --pid --fork --kill-child`, and that is the clean-up: its own
namespace is the switch, the other two are held by file descriptors, every program is in its PID namespace. When it ends,
even by SIGKILL, the kernel drops all of it; nothing has a name that could be left behind. It ends when its owner says
so, closes the control pipe, or dies (a pidfd of the owner tells).

Standard input is the control pipe; a line is "cause FAULT" or "mend FAULT", and the answer on standard output is "done"
or why not.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RUN = Path("/run")
DNSMASQ = "/usr/sbin/dnsmasq"
# The outer side of the machine's cable; systemd-nspawn makes it in the switch at every boot.
PORT = "port"
SWITCH = "switch"
GATEWAY = "10.77.0.1"
LAN = "10.77.0.0/24"
# Somebody else in the house, who answers when the gateway is away.
PLAYER = "10.77.0.9"
ROUTER_WAN = "198.51.100.1"
INTERNET_WAN = "198.51.100.2"
# Every name there is leads to this host of the internet.
WEB = "203.0.113.80"
# How long a resolver may believe the lie that a name does not exist.
LIE_S = 3600

_CLONE_NEWNET = 0x40000000
_RTMGRP_LINK = 1
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40
_NXDOMAIN, _SERVFAIL = 3, 2
_libc = ctypes.CDLL(None, use_errno=True)


def unshare_network() -> int:
    """Go into a new network namespace and return the file descriptor that holds it."""
    _check(_libc.unshare(_CLONE_NEWNET))
    return _own_namespace()


def _own_namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def path_of(descriptor: int) -> str:
    """Return where other programs find it: /proc is the outer one and knows us by our pid there."""
    return f"/proc/{os.readlink('/proc/self')}/fd/{descriptor}"


@contextlib.contextmanager
def entered(namespace: int) -> Iterator[None]:
    """Be in a namespace: sockets that are made there and programs that are started there stay in it."""
    home = _own_namespace()
    try:
        _check(_libc.setns(namespace, _CLONE_NEWNET))
        yield
    finally:
        _check(_libc.setns(home, _CLONE_NEWNET))
        os.close(home)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit code {done.returncode}: {done.stdout.strip()} {done.stderr.strip()}")


def _ip(arguments: str) -> None:
    _run("ip", *arguments.split())


def _set(name: str, value: str) -> None:
    """Set a sysctl of the namespace we are in."""
    Path("/proc/sys/net", name).write_text(value, encoding="ascii")


def start_dnsmasq(name: str, *options: str) -> None:
    """Start one in the namespace we are in. It goes into the background when it listens, and becomes our child: we are PID 1."""
    common = ("--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--bind-interfaces")
    _run(DNSMASQ, *common, f"--pid-file={RUN}/{name}.pid", "--log-facility=/dev/null", *options)


def end_dnsmasq(name: str) -> None:
    pid = int((RUN / f"{name}.pid").read_text(encoding="ascii"))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@dataclass(slots=True)
class Network:
    router: int
    internet: int
    endpoints: Sequence[str]
    web: list[socket.socket] = field(default_factory=list)
    false_dns: socket.socket | None = None
    # What the false server says: a response code, or None when it says nothing.
    false_answer: int | None = None
    cable_is_cut: bool = False
    port_is_stuck: bool = False
    port_index: int = 0

    def build(self) -> None:
        self._lay_cables()
        with entered(self.internet):
            addresses = [f"--listen-address={address}" for address in self.endpoints]
            start_dnsmasq("internet", f"--address=/#/{WEB}", *addresses)
            self.web = [socket.create_server(("", port), backlog=128) for port in (443, 80)]
        with entered(self.router):
            offer = (f"--dhcp-option=3,{GATEWAY}", f"--dhcp-option=6,{GATEWAY}", "--dhcp-range=10.77.0.50,10.77.0.150,1h")
            leases = f"--dhcp-leasefile={RUN}/leases"
            start_dnsmasq("dhcp", "--port=0", "--interface=lan", "--dhcp-authoritative", "--no-ping", leases, *offer)
        self.start_dns()

    def start_dns(self) -> None:
        # No cache: what the internet no longer answers, the router does not either.
        upstream = [f"--server={address}" for address in self.endpoints]
        with entered(self.router):
            start_dnsmasq("dns", "--interface=lan", "--no-dhcp-interface=lan", "--cache-size=0", *upstream)

    def _lay_cables(self) -> None:
        _ip(f"link add name {SWITCH} type bridge")
        _ip(f"link add name uplink type veth peer name lan netns {path_of(self.router)}")
        _ip(f"link set dev uplink master {SWITCH} up")
        _ip(f"address add {PLAYER}/24 dev {SWITCH}")
        _ip(f"link set dev {SWITCH} up")
        with entered(self.internet):
            _ip("link set dev lo up")
            for address in (*self.endpoints, WEB):
                _ip(f"address add {address}/32 dev lo")
            _ip(f"link add name isp type veth peer name wan netns {path_of(self.router)}")
            _ip(f"address add {INTERNET_WAN}/30 dev isp")
            _ip("link set dev isp up")
            _ip(f"route add {LAN} via {ROUTER_WAN}")
        with entered(self.router):
            _set("ipv4/ip_forward", "1")
            _ip("link set dev lo up")
            _ip(f"address add {GATEWAY}/24 dev lan")
            _ip("link set dev lan up")
            _ip(f"address add {ROUTER_WAN}/30 dev wan")
            _ip("link set dev wan up")
            _ip(f"route add default via {INTERNET_WAN}")

    # The cable of the machine

    def attach_port(self) -> None:
        """Plug in the machine's cable if it is a new one: each boot has its own."""
        try:
            index = socket.if_nametoindex(PORT)
        except OSError:
            return
        if index != self.port_index:
            self.port_is_stuck = False
            _ip(f"link set dev {PORT} master {SWITCH}")
            _ip(f"link set dev {PORT} {'down' if self.cable_is_cut else 'up'}")
            self.port_index = index

    def watch_port(self) -> None:
        """Something happened to a link: a new cable is plugged in; a port that got stuck works again once its link was down."""
        self.attach_port()
        if self.port_is_stuck and not _has_carrier(PORT):
            self.free_port()

    def stick_port(self) -> None:
        _ip(f"link set dev {PORT} nomaster")
        self.port_is_stuck = True

    def free_port(self) -> None:
        if self.port_is_stuck:
            self.port_is_stuck = False
            with contextlib.suppress(OSError):
                socket.if_nametoindex(PORT)
                _ip(f"link set dev {PORT} master {SWITCH}")

    def set_cable(self, state: str) -> None:
        self.cable_is_cut = state == "down"
        with contextlib.suppress(OSError):
            socket.if_nametoindex(PORT)
            _ip(f"link set dev {PORT} {state}")

    # Faults

    def faults(self) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
        """Return how each is caused and mended."""
        return {
            "link": (lambda: self.set_cable("down"), lambda: self.set_cable("up")),
            "gateway": (lambda: _ip("link set dev uplink down"), lambda: _ip("link set dev uplink up")),
            "port": (self.stick_port, self.free_port),
            "upstream": (self.cut_upstream, self.mend_upstream),
            "icmp": (lambda: self.ignore_icmp("1"), lambda: self.ignore_icmp("0")),
            "dns-silent": (lambda: self.replace_dns(None), self.mend_dns),
            "dns-servfail": (lambda: self.replace_dns(_SERVFAIL), self.mend_dns),
            "dns-lies": (lambda: self.replace_dns(_NXDOMAIN), self.mend_dns),
        }

    def cut_upstream(self) -> None:
        with entered(self.internet):
            _ip("link set dev isp down")

    def mend_upstream(self) -> None:
        with entered(self.internet):
            _ip("link set dev isp up")
            # It went with the link.
            _ip(f"route replace {LAN} via {ROUTER_WAN}")

    def ignore_icmp(self, value: str) -> None:
        for namespace in (self.router, self.internet):
            with entered(namespace):
                _set("ipv4/icmp_echo_ignore_all", value)

    def replace_dns(self, answer: int | None) -> None:
        """Have a server in the place of the router's that answers everything with one code, or nothing."""
        self.false_answer = answer
        if self.false_dns is None:
            end_dnsmasq("dns")
            with entered(self.router):
                self.false_dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.false_dns.bind((GATEWAY, 53))
                self.false_dns.setblocking(False)

    def mend_dns(self) -> None:
        if self.false_dns is not None:
            self.false_dns.close()
            self.false_dns = None
            self.start_dns()

    def answer_dns(self) -> None:
        assert self.false_dns is not None
        with contextlib.suppress(BlockingIOError):
            query, asker = self.false_dns.recvfrom(4096)
            if self.false_answer is not None:
                with contextlib.suppress(OSError):
                    self.false_dns.sendto(refusal(query, self.false_answer), asker)


def refusal(query: bytes, code: int) -> bytes:
    """Return a DNS answer without addresses; with NXDOMAIN comes how long it may be believed (RFC 2308)."""
    end = 12
    while query[end]:
        end += 1 + query[end]
    question = query[12 : end + 5]
    numbers = struct.pack(">5I", 1, LIE_S, LIE_S, LIE_S, LIE_S)
    # The root's SOA record with the root as both of its names.
    authority = b"\0" + struct.pack(">HHIH", 6, 1, LIE_S, 2 + len(numbers)) + b"\0\0" + numbers if code == _NXDOMAIN else b""
    return query[:2] + struct.pack(">5H", 0x8180 | code, 1, 0, 1 if authority else 0, 0) + question + authority


@dataclass(slots=True)
class Keeper:
    network: Network
    owner_fd: int
    unread: bytes = b""

    def serve(self, wakeup: int) -> None:
        links = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        links.bind((0, _RTMGRP_LINK))
        while True:
            false_dns = [self.network.false_dns] if self.network.false_dns else []
            ready, _, _ = select.select([0, wakeup, self.owner_fd, links, *false_dns, *self.network.web], [], [])
            if wakeup in ready:
                os.read(wakeup, 4096)
                _reap()
            if links in ready:
                # An overflow only means that links changed, which is all we want to know.
                with contextlib.suppress(OSError):
                    links.recv(65536)
                self.network.watch_port()
            for server in self.network.web:
                if server in ready:
                    _hang_up(server)
            if self.network.false_dns in ready:
                self.network.answer_dns()
            if self.owner_fd in ready or (0 in ready and not self.obey()):
                return

    def obey(self) -> bool:
        """Carry out what came through the control pipe; False when it is time to end."""
        chunk = os.read(0, 4096)
        *lines, self.unread = (self.unread + chunk).split(b"\n")
        for line in lines:
            verb, _, fault = line.decode("ascii").partition(" ")
            print(self.carry_out(verb, fault), flush=True)
        return bool(chunk)

    def carry_out(self, verb: str, fault: str) -> str:
        try:
            cause, mend = self.network.faults()[fault]
            {"cause": cause, "mend": mend}[verb]()
        except (OSError, RuntimeError, KeyError) as error:
            return f"Failed to {verb} {fault}: {error!r}".replace("\n", " ")
        return "done"


def _has_carrier(interface: str) -> bool:
    """Tell whether the other end of a cable is up; what is not there has none. Source: netdevice(7), SIOCGIFFLAGS."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, contextlib.suppress(OSError):
        answer = fcntl.ioctl(asking, _SIOCGIFFLAGS, struct.pack("16sH22x", interface.encode(), 0))
        return bool(struct.unpack("16sH22x", answer)[1] & _IFF_RUNNING)
    return False


def _hang_up(server: socket.socket) -> None:
    """Take a connection and end it: that it came about is all that anybody asks."""
    with contextlib.suppress(OSError):
        server.accept()[0].close()


def _reap() -> None:
    """Collect ended processes that we inherited as PID 1 (dnsmasq has them)."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _catch_child_signals() -> int:
    """Return a file descriptor that becomes readable when a child ends."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reader


def main(argv: Sequence[str]) -> int:
    order = json.loads(argv[1])
    os.set_inheritable(order["owner_fd"], False)
    # Of our mount namespace: dnsmasq leaves its files here, and not on the outer machine.
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "plexguard", str(RUN))
    switch = _own_namespace()
    _ip("link set dev lo up")
    router, internet = unshare_network(), unshare_network()
    _check(_libc.setns(switch, _CLONE_NEWNET))
    wakeup = _catch_child_signals()
    network = Network(router=router, internet=internet, endpoints=order["endpoints"])
    network.build()
    print("done", flush=True)
    Keeper(network=network, owner_fd=order["owner_fd"]).serve(wakeup)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
