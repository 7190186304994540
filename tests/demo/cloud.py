"""A scene of its own, in another home: a machine is rented, and given back whatever happens. Returns the one thing to remember."""

from tests.demo import scenes
from tests.demo.show import Show
from tests.machine import Machine
from tests.system import cloud_chain
from tests.system.conftest import await_event
from tests.system.house import house
from tests.system.test_cloud_rented import RUN, WITH_PLEX


def rent_machine(_machine: Machine, _show: Show) -> str:
    with house(scenes.DEB, run=RUN, uptime_s=cloud_chain.UPTIME_S) as home:
        home.rented.image = WITH_PLEX
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
