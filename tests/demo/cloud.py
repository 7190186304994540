"""Scenes of their own, in other homes: a machine is rented, and given back whatever happens; and what it has done is applied. Each
returns the one thing to remember."""

import json

from tests.demo import scenes
from tests.demo.show import Show
from tests.machine import Machine
from tests.system import cloud_chain
from tests.system.conftest import await_event, configure
from tests.system.full_house import CONFIGURATION, POINT, change_media, count, do_run, full_house
from tests.system.house import house
from tests.system.test_cloud_rented import RUN, WITH_PLEX

_THERE, _HERE = "/etc/plexguard/there.json", "/etc/plexguard/here.json"


def rent_machine(_machine: Machine, _show: Show) -> str:
    with house(scenes.DEB, run=RUN, uptime_s=cloud_chain.UPTIME_S) as home:
        home.rented.use(WITH_PLEX)
        machine, show = home.machine, Show(home.machine)
        cloud_chain.show_boots(machine)
        show.say("another home; what it rents from is played by us, and what it rents is a machine that really boots")
        show.command("plexguard-cloud-run", "plan", "delta")
        show.say("it has begun to scan when the power of home fails")
        cloud_chain.start_until(machine, "scan")
        show.command("plexguard-cloud-run", "status", "delta")
        show.command("plexguard-cloud-run", "orphans")
        (server,) = home.servers
        machine.run(["journalctl", "--sync"])
        machine.cut_power()
        machine.boot()
        done = await_event(machine, "cloud.run-done", timeout_s=120)
        cloud_chain.await_released(machine)
        show.journal("-u", "plexguard-cloud-*", "-n", "40")
        show.command("plexguard-cloud-run", "orphans")
        show.command("plexguard-cloud-run", "cost")
        if [found["PLEXGUARD_SERVER"] for found in cloud_chain.events(machine, "cloud.instance-created")] != [server]:
            raise AssertionError("the run did not go on with its machine")
        if left := home.cloud.left():
            raise AssertionError(f"something is left that costs money: {left}")
        return f"{done['MESSAGE'].partition(':')[0].removeprefix('The run delta is ')}, on the same machine; nothing is left of it"


def run_and_apply(_machine: Machine, _show: Show) -> str:
    with full_house(scenes.DEB, delta=f'mappings = "{_THERE}"\n') as home:
        machine, show = home.machine, Show(home.machine)
        machine.write(_THERE, json.dumps({"mappings": {POINT: "/Media"}}))
        machine.write(_HERE, json.dumps({"mappings": {"/Media": POINT}}))
        configure(machine, f'{CONFIGURATION}[cloud-apply]\nmappings = "{_HERE}"\n')
        show.say("the shipped run, on a home whose Plex and whose rented machine mount the same storage")
        show.command("plexguard-cloud-run")
        films = change_media(machine)
        show.say("two films have come, one has gone, and one is in another folder")
        do_run(home, "delta")
        show.command("plexguard-cloud-run", "status", "delta")
        show.say("Plex at home is as it was, until somebody says so")
        show.command("systemctl", "start", "plexguard-cloud-apply@delta")
        show.journal("-u", "plexguard-cloud-*", "-n", "40")
        if (known := count(machine, "Films")) != films:
            raise AssertionError(f"Plex at home was to know {films} films, and knows {known}")
        if left := home.cloud.left():
            raise AssertionError(f"something is left that costs money: {left}")
        return f"Plex at home knows {films} films, all analysed elsewhere; what it had before is kept"
