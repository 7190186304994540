"""Networks as they are seen, and a course of checks over them."""

import dataclasses
from datetime import timedelta

from plexguard.core.records import decode, encode
from plexguard.net_recover.config import Config
from plexguard.net_recover.decide import Plan, State, decide
from plexguard.net_recover.holders import Held, Holder
from plexguard.net_recover.links import Addresses, Link, Neighbour, Route
from plexguard.net_recover.network import Answer, Reply, Target
from plexguard.net_recover.observe import Name, Observation
from plexguard.net_recover.steps import Step
from tests.fakes.ports import FakeClock

CONFIG = Config(grace=timedelta(0))
TARGET = Target("1.1.1.1", 443)
SILENT = (Answer(target=TARGET, reply=Reply.SILENT),)
NO_WAY = (Answer(target=TARGET, reply=Reply.UNREACHABLE),)
ANSWERED = (Answer(target=TARGET, reply=Reply.ANSWERED, seconds=0.012),)
RESOLVES = (Name(name="plex.tv", addresses=("203.0.113.7",), seconds=0.004),)
NO_NAMES = (Name(name="plex.tv", addresses=(), seconds=8.0),)
ROUTE = Route(interface="eth0", gateway="192.0.2.1")

LOST = Observation(
    looks=3,
    answers=SILENT,
    interface="eth0",
    link=Link(name="eth0", index=2),
    held=Held(by=Holder.NETWORKD),
    addresses=Addresses(found=("192.0.2.2",)),
    route=ROUTE,
    gateway=Neighbour.SILENT,
    has_resolved=True,
)
ONLINE = Observation(looks=1, answers=ANSWERED, names=RESOLVES, interface="eth0")
UPSTREAM = dataclasses.replace(LOST, gateway=Neighbour.ANSWERS)
NO_DNS = dataclasses.replace(LOST, answers=ANSWERED, names=NO_NAMES)
NO_LINK = dataclasses.replace(LOST, link=Link(name="eth0", index=2, carrier=False), addresses=Addresses(), route=None)
OFF = dataclasses.replace(LOST, link=Link(name="eth0", index=2, is_up=False, carrier=False))
NOWHERE = dataclasses.replace(LOST, interface="", link=None)


class Course:
    """One check after the other, the state going through its JSON form; and steps that are taken when decided."""

    def __init__(self, config: Config = CONFIG, *, online_before: bool = True) -> None:
        self.config = config
        self.clock = FakeClock()
        self.state = State()
        self.steps: list[Step] = []
        self.told: list[str] = []
        self.asked = 0
        if online_before:
            self.decide(ONLINE)

    def decide(self, seen: Observation, **given: object) -> Plan:
        now = self.clock.moment()
        plan = decide(seen, self.config, self.state, now, now, **given)  # type: ignore[arg-type]
        self.state = decode(State, encode(plan.state))
        self.told += [tell.event.name for tell in plan.tells]
        self.asked += plan.ask_reboot
        return plan

    def check(self, seen: Observation, *, until: Step | None = None) -> None:
        """One run of the program. until: the step that is not taken, as if it ended there."""
        while (step := self.decide(seen).step) is not None:
            self.steps.append(step)
            if step is until:
                return

    def pass_minutes(self, minutes: int, seen: Observation) -> None:
        for _ in range(minutes):
            self.clock.pass_time(60.0)
            self.check(seen)

    def values(self, plan: Plan, name: str) -> dict[str, object]:
        (found,) = [tell.values for tell in plan.tells if tell.event.name == name]
        return dict(found)
