"""Delivery on a booted machine: a real journal, real units, receivers of web hooks beside them."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events
from tests.system.native_plex import set_plex

pytestmark = pytest.mark.machine

SERVICE = "plexguard-notify.service"
INBOX = Path(__file__).parents[1] / "fakes/inbox.py"
PORTS = {"house": 8099, "phone": 8098}
STATE = "/var/lib/plexguard/notify"
KILLS = 200
# Tells events with numbers, as a program of the suite would: FIRST, LAST, seconds between two.
TELL = """
import sys, time
from plexguard.core.journal import SystemdJournal
from plexguard.speed_test.events import FAILED
journal = SystemdJournal("plexguard-sample")
for number in range(int(sys.argv[1]), int(sys.argv[2]) + 1):
    journal.send(FAILED, reason="a sample", attempt=number, limit=1, day="today")
    time.sleep(float(sys.argv[3]))
"""
# Kills the service, or only its first process, at any moment of its life.
KILL = """
import os, random, signal, subprocess, sys, time
def show(name):
    return subprocess.run(["systemctl", "show", "-P", name, "plexguard-notify.service"], capture_output=True, text=True).stdout.strip()
random.seed(int(sys.argv[2]))
for _ in range(int(sys.argv[1])):
    time.sleep(random.uniform(0.0, 1.2))
    while (pid := int(show("MainPID") or 0)) == 0:
        time.sleep(0.02)
    if random.random() < 0.5:
        subprocess.run(["systemctl", "kill", "-s", "KILL", "plexguard-notify.service"], check=False)
    else:
        os.kill(pid, signal.SIGKILL)
"""
# As soon as it was killed it is back; what a start limit is for is not tested here.
QUICK_RESTART = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=50ms\n"
# Writes an entry that looks like an event of ours, by the journal's own protocol: not through a library that adds to it.
FORGE = """
import socket, sys
fields = {"MESSAGE": "forged", "PRIORITY": "3", "MESSAGE_ID": sys.argv[1], "PLEXGUARD": "1", "PLEXGUARD_EVENT": "speed.failed",
    "PLEXGUARD_REASON": "forged", "PLEXGUARD_ATTEMPT": "1", "PLEXGUARD_LIMIT": "1", "PLEXGUARD_DAY": "today",
    "COREDUMP_TIMESTAMP": "9" * 40, "SYSLOG_IDENTIFIER": "plexguard-speed-test", "_UID": "0", "_SYSTEMD_UNIT": "plexguard-speed-test.service"}
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
    text = "".join(f"{name}={value}\\n" for name, value in fields.items())
    journal.sendto(text.encode(), "/run/systemd/journal/socket")
"""


def open_inboxes(machine: Machine) -> None:
    machine.push(INBOX, "/opt/inbox.py")
    machine.write("/opt/tell.py", TELL)
    for name, port in PORTS.items():
        machine.run(["mkdir", "-p", f"/srv/{name}"])
        machine.run(["systemd-run", f"--unit=inbox-{name}", "/usr/bin/python3", "/opt/inbox.py", str(port), f"/srv/{name}"])


def channels(*names: str, **options: str) -> str:
    more = "".join(f"{name} = {value}\n" for name, value in options.items())
    return "\n".join(
        f'[notify.channel.{name}]\nkind = "webhook"\nurl = "http://127.0.0.1:{PORTS[name]}/hook"\nrate = 100\n{more}'
        for name in names or PORTS
    )


def tell(machine: Machine, first: int, last: int, *, pause_s: float = 0.0) -> None:
    """Tell events with these numbers from a unit of the suite's name, as an ordinary user."""
    machine.run(
        [
            *("systemd-run", "--wait", "--collect", "--uid=nobody", "--unit=plexguard-sample"),
            *("/usr/bin/python3", "/opt/tell.py", str(first), str(last), str(pause_s)),
        ],
        timeout_s=900,
    )


def taken(machine: Machine, name: str = "house") -> list[dict[str, Any]]:
    text = machine.run(["cat", f"/srv/{name}/taken.jsonl"], check=False).stdout
    return [json.loads(line) for line in text.splitlines()]


def numbers(machine: Machine, name: str = "house") -> list[int]:
    """Return the numbers that arrived, as often as they did."""
    bodies = [item["body"] for item in taken(machine, name)]
    return [int(body["details"]["attempt"]) for body in bodies if body["event"] == "speed.failed"]


def await_number(machine: Machine, number: int, *, name: str = "house", timeout_s: float = 30) -> list[int]:
    machine.wait_for(lambda: number in numbers(machine, name), timeout_s=timeout_s, what=f"number {number} at {name}")
    return numbers(machine, name)


def answer(machine: Machine, name: str, what: str) -> None:
    machine.write(f"/srv/{name}/answer", what)


def seen(machine: Machine, name: str) -> dict[str, Any]:
    listed = json.loads(machine.run(["plexguard-notify", "queue", "list", "--format", "json"], user="nobody").stdout)
    return next((channel for channel in listed["channels"] if channel["name"] == name), {})


@pytest.fixture
def told(machine: Machine) -> Machine:
    """A machine with two receivers, each with a channel that folds nothing."""
    open_inboxes(machine)
    configure(machine, channels(min_priority='"info"', fold='"0s"'))
    return machine


def test_without_a_channel_it_ends_and_the_first_channel_starts_it(machine: Machine) -> None:
    machine.run(["rm", "-f", f"{STATE}/no-channels.json"])
    for _ in range(2):
        machine.systemctl("start", SERVICE)
        machine.wait_for(lambda: machine.unit(SERVICE)["ActiveState"] == "inactive", timeout_s=10, what="it ends")
    ended = machine.unit(SERVICE)
    open_inboxes(machine)
    tell(machine, 1, 3)

    configure(machine, channels("house"))
    tell(machine, 4, 4)

    assert (ended["ActiveState"], ended["Result"]) == ("inactive", "success")
    assert len(events(machine, "notify.no-channels")) == 1
    # What was told before there was anybody to tell is not made up for.
    assert await_number(machine, 4) == [4]
    assert_clean_journal(machine, allowed=("speed.failed",))


def test_event_arrives_within_two_seconds_with_all_that_is_known(told: Machine) -> None:
    tell(told, 1, 1)
    await_number(told, 1)

    (item,) = taken(told)
    body = item["body"]
    (entry,) = events(told, "speed.failed")
    assert item["taken"] - int(entry["__REALTIME_TIMESTAMP"]) / 1e6 < 2
    assert (body["event"], body["severity"], body["host"], body["unit"]) == (
        "speed.failed",
        "warning",
        "plexguard",
        "plexguard-sample.service",
    )
    assert body["message"] == entry["MESSAGE"]
    assert "plexguard-speed-test" in body["action"]


def test_forged_events_are_not_delivered(told: Machine) -> None:
    from plexguard.speed_test.events import FAILED

    told.write("/opt/forge.py", FORGE)
    told.run(["/usr/bin/python3", "/opt/forge.py", FAILED.message_id], user="nobody")
    for argv in (["logger", "-t", "plexguard-speed-test", "--journald"], ["systemd-cat", "-t", "plexguard-speed-test", "cat"]):
        text = f"MESSAGE=forged\nMESSAGE_ID={FAILED.message_id}\nPLEXGUARD=1\nPLEXGUARD_EVENT=speed.failed\n"
        told.run(argv, user="nobody", input=text, check=False)
    tell(told, 7, 7)

    assert await_number(told, 7) == [7]
    assert [item["body"]["details"]["reason"] for item in taken(told)] == ["a sample"]
    assert any(entry["MESSAGE"] == "forged" for entry in events(told, "speed.failed"))


def test_one_channel_that_is_away_holds_no_other_and_loses_nothing(told: Machine) -> None:
    answer(told, "phone", "503")
    tell(told, 1, 20)
    house = await_number(told, 20)
    told.wait_for(lambda: seen(told, "phone").get("waiting") == 20, timeout_s=30, what="the queue is published")
    assert seen(told, "phone")["state"] == "failed"
    # It outlives what the machine does meanwhile.
    told.systemctl("restart", SERVICE)
    tell(told, 21, 30)
    told.cut_power()
    told.boot()
    for name, port in PORTS.items():
        told.run(["mkdir", "-p", f"/srv/{name}"])
        told.run(["systemd-run", f"--unit=inbox-{name}", "/usr/bin/python3", "/opt/inbox.py", str(port), f"/srv/{name}"])
    answer(told, "phone", "200")
    told.run(["plexguard-notify", "queue", "retry", "phone"])

    assert house == list(range(1, 21))
    assert list(dict.fromkeys(await_number(told, 30, name="phone"))) == list(range(1, 31))


def test_receiver_that_never_answers_is_a_failed_channel(told: Machine) -> None:
    configure(told, channels(min_priority='"info"', fold='"0s"', timeout='"2s"'))
    answer(told, "phone", "hang")
    tell(told, 1, 5)

    assert await_number(told, 5) == [1, 2, 3, 4, 5]
    told.wait_for(lambda: seen(told, "phone").get("state") == "failed", timeout_s=30, what="the channel is seen to fail")
    answer(told, "phone", "200")
    assert await_number(told, 5, name="phone", timeout_s=60) == [1, 2, 3, 4, 5]


def test_outage_is_told_once_and_its_end_too_over_the_other_channel(told: Machine) -> None:
    answer(told, "phone", "404")
    tell(told, 1, 3)
    await_event(told, "notify.channel-failed", timeout_s=30)
    told.wait_for(
        lambda: "notify.channel-failed" in [item["body"]["event"] for item in taken(told)], timeout_s=10, what="it is told"
    )
    answer(told, "phone", "200")
    told.run(["plexguard-notify", "queue", "retry"])
    await_event(told, "notify.channel-recovered", timeout_s=30)

    told.wait_for(lambda: taken(told)[-1]["body"]["event"] == "notify.channel-recovered", timeout_s=10, what="its end is told")
    failed, recovered = [item["body"] for item in taken(told) if item["body"]["event"].startswith("notify.")]
    assert recovered["problem_id"] == failed["id"]
    assert numbers(told, "phone") == [1, 2, 3]


def test_queue_can_be_cleared(told: Machine) -> None:
    answer(told, "phone", "503")
    tell(told, 1, 5)
    await_number(told, 5)
    refused = told.run(["plexguard-notify", "queue", "clear"], user="nobody", check=False)
    told.run(["plexguard-notify", "queue", "clear", "phone"])
    told.wait_for(lambda: not told.run(["ls", f"{STATE}/requests"]).stdout, timeout_s=15, what="the order is taken")
    answer(told, "phone", "200")
    tell(told, 6, 6)

    assert refused.returncode == 77
    assert await_number(told, 6, name="phone") == [6]


def test_trial_says_which_channel_took_it(told: Machine) -> None:
    answer(told, "phone", "401")

    done = told.run(["plexguard-notify", "test"], check=False)

    assert done.returncode == 1
    assert "house: taken" in done.stdout and "phone: failed: " in done.stdout
    assert taken(told)[-1]["body"]["event"] == "notify.test"


def test_journal_that_was_rotated_and_vacuumed_is_followed_on(told: Machine) -> None:
    tell(told, 1, 2)
    await_number(told, 2)
    told.run(["journalctl", "--rotate"])
    tell(told, 3, 3)
    await_number(told, 3)
    told.run(["journalctl", "--rotate", "--vacuum-size=1"])
    tell(told, 4, 4)
    await_number(told, 4)
    told.systemctl("stop", SERVICE)
    tell(told, 5, 5)
    told.run(["journalctl", "--rotate"])
    told.run(["journalctl", "--vacuum-size=1"])
    tell(told, 6, 6)
    told.systemctl("start", SERVICE)

    # 5 was lost with the journal, and that is said.
    assert await_number(told, 6) == [1, 2, 3, 4, 6]
    await_event(told, "notify.journal-gap", timeout_s=10)


def test_full_disk_is_told_and_what_was_told_meanwhile_arrives(told: Machine) -> None:
    tell(told, 1, 1)
    await_number(told, 1)
    told.systemctl("stop", SERVICE)
    told.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", f"{STATE}/spool"])
    told.run(["sh", "-c", f"chown plexguard: {STATE}/spool; head -c 1M /dev/zero > {STATE}/spool/x"], check=False)
    told.systemctl("start", SERVICE)
    await_event(told, "notify.spool-failed", timeout_s=30)
    restarts = told.unit(SERVICE)["NRestarts"]
    told.run(["rm", f"{STATE}/spool/x"])
    await_event(told, "notify.spool-recovered", timeout_s=30)
    tell(told, 2, 2)

    assert await_number(told, 2) == [1, 2]
    assert (restarts, len(events(told, "notify.spool-failed"))) == ("0", 1)


def test_failed_unit_is_told_once_a_failure_with_its_last_words(told: Machine) -> None:
    configure(told, channels("house"))
    told.write(
        "/etc/systemd/system/plexguard-perms-audit.service.d/test.conf",
        "[Service]\nExecStart=\nExecStart=/bin/sh -c 'echo first; echo X-Plex-Token=abcdefghijkl; exit 3'\n",
    )
    told.systemctl("daemon-reload")
    for number in range(1, 6):
        told.systemctl("reset-failed", "plexguard-perms-audit.service", check=False)
        told.systemctl("start", "plexguard-perms-audit.service", check=False)
        told.wait_for(lambda: len(events(told, "unit.failed")) == number, timeout_s=30, what=f"failure {number} is told")  # noqa: B023
    told.wait_for(lambda: taken(told), timeout_s=15, what="the first is delivered")

    first = events(told, "unit.failed")[0]
    assert first["MESSAGE"].splitlines() == [
        "plexguard-perms-audit.service failed (exit-code, exited 3)",
        "first",
        "X-Plex-Token=***",
    ]
    # The others are gathered until the window ends.
    assert [item["body"]["event"] for item in taken(told)] == ["unit.failed"]
    assert len(events(told, "unit.failed")) == 5


def test_daemon_that_is_killed_is_told_and_started_again_and_one_that_is_stopped_is_not_told(told: Machine) -> None:
    for verb in ("restart", "stop", "start"):
        told.systemctl(verb, "plexguard-perms-guard.service")
    told.systemctl("kill", "--signal=KILL", "plexguard-perms-guard.service")

    entry = await_event(told, "unit.failed", timeout_s=20)

    told.wait_for(lambda: told.unit("plexguard-perms-guard.service")["ActiveState"] == "active", timeout_s=30, what="it is back")
    assert (entry["PLEXGUARD_FAILED_UNIT"], entry["PLEXGUARD_ENDED"]) == ("plexguard-perms-guard.service", "killed KILL")
    assert len(events(told, "unit.failed")) == 1


def test_failure_of_an_instance_says_whose_it_was(told: Machine) -> None:
    told.write(
        "/etc/systemd/system/plexguard-perms-audit@.service.d/test.conf", "[Service]\nExecStart=\nExecStart=/bin/sh -c 'exit 4'\n"
    )
    told.systemctl("daemon-reload")

    told.systemctl("start", "plexguard-perms-audit@srv-a\\x20b.service", check=False)

    entry = await_event(told, "unit.failed", timeout_s=20)
    assert entry["PLEXGUARD_FAILED_UNIT"] == "plexguard-perms-audit@srv-a\\x20b.service"
    assert entry["PLEXGUARD_ENDED"] == "exited 4"


def test_hung_plex_arrives_as_a_pair(plex_machine: Machine) -> None:
    machine = plex_machine
    open_inboxes(machine)
    configure(machine, '[plex-probe]\ninterval = "5s"\n' + channels("house"))
    machine.wait_for(
        lambda: float(machine.read("/proc/uptime").split()[0]) > 0 and not machine.failed_units(), timeout_s=30, what="all is well"
    )
    time.sleep(60)  # start_grace of a Plex that has just been started
    set_plex(machine, mode="hung")
    await_event(machine, "plex.recovered", timeout_s=180)

    bodies = machine.wait_for(
        lambda: (
            {b["body"]["event"]: b["body"] for b in taken(machine)}
            if "plex.recovered" in [b["body"]["event"] for b in taken(machine)]
            else {}
        ),
        timeout_s=15,
        what="the recovery is delivered",
    )
    assert bodies["plex.recovered"]["problem_id"] == bodies["plex.hung"]["id"]
    assert bodies["plex.recovered"]["downtime_s"] > 0


def test_every_number_arrives_in_order_though_it_is_killed_again_and_again(told: Machine) -> None:
    told.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", QUICK_RESTART)
    told.systemctl("daemon-reload")
    told.write("/opt/kill.py", KILL)
    seed = random.randrange(1 << 30)
    killer = told.spawn(["/usr/bin/python3", "/opt/kill.py", str(KILLS), str(seed)])
    last = 0
    while killer.poll() is None:
        tell(told, last + 1, last + 25, pause_s=0.03)
        last += 25
    assert killer.returncode == 0
    for name in PORTS:
        arrived = await_number(told, last, name=name, timeout_s=120)
        assert list(dict.fromkeys(arrived)) == list(range(1, last + 1)), f"at {name}, seed {seed}"
        # A message is repeated when the service was killed between sending it and keeping that it was.
        assert len(arrived) - last <= KILLS
    assert int(told.unit(SERVICE)["NRestarts"]) >= KILLS * 0.9
