"""Scenes of the house around Plex: its network, and its line. Each returns the one thing to remember of it."""

from tests.demo.show import Show
from tests.machine import Machine
from tests.machine.managers import address_of, await_online, flush_address
from tests.machine.network import Fault, Lan
from tests.system.conftest import await_event, events

LAN = Lan()
# What stands for speedtest-cli: a demonstration needs no data of anybody's.
_SPEED = """#!/bin/sh
printf '{"download": 94120000.0, "upload": 38400000.0, "ping": 11.2, "server": {"sponsor": "Demo", "name": "Here"}, "timestamp": "%s"}\\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
"""


def mend_network(machine: Machine, show: Show) -> str:
    await_online(machine)
    show.command("systemctl", "start", "plexguard-net-recover.service")
    show.command("plexguard-net-recover")
    before = address_of(machine)
    show.say("before a first step a minute is waited, since somebody may be at work; not here")
    machine.write("/etc/plexguard/plexguard.toml.d/40-demo.toml", '[net-recover]\ngrace = "0s"\n')
    show.say("a script that went wrong takes the address away; nothing brings it back by itself")
    flush_address(machine)
    show.say("the timer would look within a minute; here it is asked to at once")
    show.command("systemctl", "start", "plexguard-net-recover.service")
    recovered = await_event(machine, "net.recovered", timeout_s=60)
    show.journal("-u", "plexguard-net-recover")
    if not before or address_of(machine) != before:
        raise AssertionError(f"it had {before or 'no address'}, and has {address_of(machine) or 'none'}")
    return f"{recovered['PLEXGUARD_HELPED']} helped, after {float(recovered['PLEXGUARD_DOWNTIME_S']):.0f} s"


def leave_provider(machine: Machine, show: Show) -> str:
    LAN.cause(Fault.UPSTREAM)
    show.say("the router lives, and has no internet behind it")
    since = machine.cursor()
    show.command("systemctl", "start", "plexguard-net-recover.service")
    show.journal("-u", "plexguard-net-recover", since_cursor=since)
    LAN.mend(Fault.UPSTREAM)
    show.command("systemctl", "start", "plexguard-net-recover.service")
    show.command("plexguard-net-recover", "history")
    await_event(machine, "net.left-alone", timeout_s=5, since_cursor=since)
    if events(machine, "net.step", since_cursor=since):
        raise AssertionError("it took a step, where nothing on this machine can help")
    return "nothing was touched"


def measure_line(machine: Machine, show: Show) -> str:
    machine.write("/usr/local/bin/demo-speed", _SPEED, mode=0o755)
    machine.write("/etc/plexguard/plexguard.toml.d/50-demo.toml", '[speed-test]\ncommand = ["/usr/local/bin/demo-speed"]\n')
    show.command("plexguard-status", "apply")
    show.command("systemctl", "list-timers", "plexguard-speed-test.timer")
    show.command("systemctl", "start", "plexguard-speed-test.service")
    show.journal("PLEXGUARD_EVENT=speed.result")
    show.command("plexguard-speed-test", "list")
    return f"{await_event(machine, 'speed.result', timeout_s=5)['MESSAGE']}"
