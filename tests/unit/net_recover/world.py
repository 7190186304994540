"""A machine with a network that fails as networks do. The program sees of it what it would see of a real one: what the kernel
says in files, what `ip` and its kin print, and who answers."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from plexguard.core.clock import Moment
from plexguard.core.errors import IoFailed
from plexguard.core.events import Event
from plexguard.core.host import CommandFailed, CommandMissing, Completed
from plexguard.core.manager import Unit
from plexguard.core.records import decode, encode
from plexguard.net_recover.act import REBOOT_UNIT, Hands, carry_out
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import State
from plexguard.net_recover.history import Teller
from plexguard.net_recover.network import Answer, Reply, Target
from plexguard.net_recover.observe import Eyes, Watching, observe
from plexguard.net_recover.reboot.decide import (
    Budget,
    Known,
    RebootObservation,
    Refuse,
    find_early_refusal,
    find_refusal,
)
from tests.fakes.ports import FakeClock, FakeHost, FakeJournal, FakeManager

ETHER_FLAGS, DOWN_FLAGS = "0x1003", "0x1002"
IPV4_ROUTES = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
DEFAULT_ROUTE = "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
FAULTS = ("link", "address", "route", "gateway", "upstream", "dns")


class World:
    """fault: what is wrong, "" for nothing. cured_by: the beginning of a command that mends it, "" for none. holder: a unit's name.
    others: addresses on the link that answer while the gateway does not. interrupted: steps that hit somebody who watched."""

    def __init__(self, *, holder: str = "systemd-networkd.service") -> None:
        self.clock = WorldClock()
        self.fault = ""
        self.cured_by = ""
        self.holder = holder
        self.is_up = True
        self.gone = False
        self.others: tuple[str, ...] = ()
        self.has_resolved = True
        self.is_leased = False
        self.watching = Watching.NOBODY
        self.steps: list[str] = []
        self.interrupted: list[str] = []

    def break_down(self, fault: str, *, cured_by: str = "") -> None:
        self.fault, self.cured_by = fault, cured_by

    def mend(self) -> None:
        self.fault = self.cured_by = ""

    @property
    def has_link(self) -> bool:
        return self.fault != "link" and self.is_up and not self.gone

    @property
    def is_reachable(self) -> bool:
        return self.has_link and self.fault in ("", "dns")

    @property
    def has_gateway(self) -> bool:
        return self.has_link and self.fault in ("", "dns", "upstream")

    # -- the port to the network ------------------------------------------------------------------------------------------

    def ask(self, targets: Sequence[Target], *, timeout_s: float, whole: bool) -> tuple[Answer, ...]:
        answers = tuple(self._answer(target) for target in targets)
        answered = any(answer.reply is Reply.ANSWERED for answer in answers)
        self.clock.pass_time(0.01 if answered and not whole else timeout_s)
        return answers

    def _answer(self, target: Target) -> Answer:
        answers = self.has_gateway if target.address == "192.0.2.1" else self.is_reachable
        answers = answers or (self.has_link and target.address in self.others)
        has_way = self.has_link and self.fault not in ("address", "route")
        reply = Reply.ANSWERED if answers else Reply.SILENT if has_way else Reply.UNREACHABLE
        return Answer(target=target, reply=reply, seconds=0.01 if answers else None)

    def read(self, path: str) -> str:
        if path == "/proc/net/route":
            has_route = self.has_link and self.fault not in ("address", "route")
            return IPV4_ROUTES + (DEFAULT_ROUTE if has_route else "")
        if self.gone and path.startswith("/sys/class/net/eth0/"):
            return ""
        return {
            "/sys/class/net/eth0/flags": ETHER_FLAGS if self.is_up else DOWN_FLAGS,
            "/sys/class/net/eth0/carrier": ("1" if self.has_link else "0") if self.is_up else "",
            "/sys/class/net/eth0/ifindex": "2",
            "/sys/class/net/eth0/type": "1",
            "/sys/class/net/eth0/uevent": "INTERFACE=eth0\nIFINDEX=2\n",
            "/sys/class/net/eth0/device/uevent": "DRIVER=e1000e\n",
            "/run/systemd/netif/links/2": "ADMIN_STATE=configured\n",
        }.get(path, "")

    def interfaces(self) -> tuple[str, ...]:
        return ("lo",) if self.gone else ("eth0", "lo")

    # -- commands -----------------------------------------------------------------------------------------------------------

    def run(self, argv: Sequence[str]) -> Completed:
        line = " ".join(argv)
        if line.startswith("getent ahosts"):
            found = self.is_reachable and self.fault != "dns"
            return _done("203.0.113.7 STREAM plex.tv\n") if found else _done("", code=2)
        if line.startswith("ip -s -json address"):
            has_address = self.has_link and self.fault != "address"
            address = {"local": "192.0.2.2", "family": "inet", "scope": "global", "dynamic": self.is_leased}
            return _done(json.dumps([{"addr_info": [address] if has_address else []}]))
        if line.startswith("ip -s -json neighbour show to"):
            return _done(
                json.dumps([{"dst": "192.0.2.1", "confirmed": 0, "state": ["REACHABLE" if self.has_gateway else "FAILED"]}])
            )
        if line.startswith("ip -s -json neighbour show dev"):
            return _done(json.dumps([{"dst": address, "state": ["STALE"]} for address in self.others]))
        if line.startswith(("nmcli -t", "ifquery")):
            raise CommandMissing("not here")
        self.steps.append(line)
        if self.watching is not Watching.NOBODY and self.has_link and self.fault != "address" and not line.startswith("resolvectl"):
            self.interrupted.append(line)
        self.clock.pass_time(1.0)
        if self.cured_by and line.startswith(self.cured_by):
            self.mend()
        return _done("")

    def unit(self, name: str) -> Unit:
        runs = name == self.holder or (name == "systemd-resolved.service" and self.has_resolved)
        return Unit(name=name, load_state="loaded", active_state="active" if runs else "inactive")


def _done(text: str, *, code: int = 0) -> Completed:
    return Completed(code=code, stdout=text, stderr="")


class WorldClock(FakeClock):
    """Tells what really passes, which its own time need not be."""

    def __init__(self) -> None:
        super().__init__()
        self.on_pass: Callable[[float], None] = lambda _seconds: None
        self.true_wall = self.wall

    def pass_time(self, seconds: float) -> None:
        self.true_wall += timedelta(seconds=seconds)
        self.on_pass(seconds)
        super().pass_time(seconds)

    def reboot(self, *, down_s: float = 60.0) -> None:
        self.true_wall += timedelta(seconds=down_s)
        self.on_pass(down_s)
        super().reboot(down_s=down_s)


class WorldJournal(FakeJournal):
    def __init__(self) -> None:
        super().__init__()
        self.on_send: Callable[[str, Mapping[str, object]], None] = lambda _name, _values: None

    def send(self, event: Event, /, **values: object) -> None:
        self.on_send(event.name, values)
        super().send(event, **values)


class WorldHost(FakeHost):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def run(self, argv: Sequence[str], *, timeout_s: float, check: bool = True) -> Completed:
        assert timeout_s > 0
        self.ran.append(list(argv))
        done = self._world.run(argv)
        if check and done.code != 0:
            raise CommandFailed(f"{argv[0]}: exit code {done.code}")
        return done


class WorldManager(FakeManager):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def unit(self, name: str) -> Unit:
        return self._world.unit(name)


class MemoryFile:
    """A state file that can be made to refuse, and goes through its JSON form when it is read again after a boot, which forgets
    what was only kept."""

    path = Path("/nonexistent/state.json")

    def __init__(self) -> None:
        self.on_disk: State | None = None
        self.kept: State | None = None
        self.saved = 0
        self.is_full = False

    def save(self, record: State) -> None:
        if self.is_full:
            raise IoFailed("Failed to write state.json: No space left on device")
        self.saved += 1
        self.on_disk, self.kept = record, None

    def keep(self, record: State) -> None:
        was_kept = self.is_kept
        try:
            self.save(record)
        except IoFailed:
            self.kept = record
            if not was_kept:
                raise

    @property
    def is_kept(self) -> bool:
        return self.kept is not None

    @property
    def record(self) -> State | None:
        return self.kept or self.on_disk

    @record.setter
    def record(self, record: State) -> None:
        self.on_disk, self.kept = record, None

    def read_again(self) -> None:
        self.on_disk, self.kept = decode(State, json.loads(json.dumps(encode(self.on_disk)))), None


class MemoryHistory:
    def __init__(self) -> None:
        self.records: list[object] = []

    def append(self, record: object) -> None:
        self.records.append(record)


class Machine:
    """The world with the program in it: checks by the timer, and the unit that reboots."""

    def __init__(self, world: World, config: Config, *, online_before: bool = True) -> None:
        self.world = world
        self.config = config
        self.journal = WorldJournal()
        self.history = MemoryHistory()
        self.host = WorldHost(world)
        self.manager = WorldManager(world)
        self.file = MemoryFile()
        self.budget = Budget()
        self.reboots: list[Moment] = []
        self.refusals: list[str] = []
        self.is_synchronised = True
        self.update = ""
        self.inhibitors: tuple[str, ...] | None = ()
        self.checks = 0
        self.just_rebooted = False
        self.boot_cures = False
        self.on_reboot: Callable[[], None] = lambda: None
        self.manager.on = self._start
        if online_before:
            self.check()
            assert self.journal.names == []

    @property
    def state(self) -> State:
        return self.file.record or State()

    @property
    def eyes(self) -> Eyes:
        return Eyes(
            network=self.world,
            host=self.host,
            manager=self.manager,
            clock=self.world.clock,
            ask_watching=lambda: self.world.watching,
        )

    def check(self) -> None:
        """What the timer does."""
        self.checks += 1
        rebooted, self.just_rebooted = self.just_rebooted, False
        began = self.world.clock.moment()
        past = self.state
        seen = observe(self.eyes, self.config, known=past.seen)
        hands = Hands(eyes=self.eyes, teller=Teller(self.journal, self.history, self.world.clock), state=self.file)  # type: ignore[arg-type]
        carry_out(seen, self.config, past, began, hands, rebooted=rebooted)

    def tick(self) -> None:
        """Let the timer's interval pass, then check."""
        self.world.clock.pass_time(self.config.interval.total_seconds())
        self.check()

    def run_for(self, span: timedelta) -> None:
        end = self.world.clock.wall + span
        while self.world.clock.wall < end:
            self.tick()

    def _start(self, verb: str, name: str) -> None:
        assert (verb, name) == ("start", REBOOT_UNIT)
        now = self.world.clock.moment()
        refusal = find_early_refusal(Known(checked=self.state, is_synchronised=self.is_synchronised), self.config, self.budget, now)
        refusal = refusal or find_refusal(self._look_again())
        if isinstance(refusal, Refuse):
            self.refusals.append(refusal.kind)
            return
        self.budget = decode(
            Budget, encode(self.budget.spend(self.world.clock.moment(), "no-gateway", is_synchronised=self.is_synchronised))
        )
        self.reboots.append(self.world.clock.moment())
        self.on_reboot()
        self.reboot()

    def _look_again(self) -> RebootObservation:
        from plexguard.net_recover.decide import is_excused
        from plexguard.net_recover.states import judge

        seen = observe(self.eyes, self.config, known=self.state.seen)
        return RebootObservation(
            verdict=judge(seen, is_excused=is_excused(self.state, self.world.clock.moment())),
            detail="",
            watching=self.world.watching,
            update=self.update,
            inhibitors=self.inhibitors,
        )

    def reboot(self) -> None:
        if self.boot_cures:
            self.world.mend()
        self.just_rebooted = True
        self.file.read_again()
        self.world.clock.reboot(down_s=60.0)
        self.world.clock.pass_time(120.0)
