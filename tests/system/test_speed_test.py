"""The nightly speed test on a booted machine: when it runs, what it runs, what it yields to, and what it tells."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.machine import Machine
from tests.system.conftest import assert_clean_journal, await_event, configure, events, explain
from tests.system.native_plex import set_plex

pytestmark = pytest.mark.machine

TIMER = "plexguard-speed-test.timer"
SERVICE = "plexguard-speed-test.service"
STATE = "/var/lib/plexguard/speed-test"
SIMULATOR = Path(__file__).parents[1] / "fakes/speedtest.py"
# Prints as speedtest-cli does what the file beside it says, and keeps as whom and how often it was run.
COMMAND = """#!/bin/sh
echo "$(id -un) $NOT_THERE" >> /var/lib/plexguard/speed-test/runs
speed=$(cat /opt/speed)
[ "$speed" = broken ] && { echo "ERROR: <urlopen error timed out>" >&2; exit 1; }
printf '{"download": %s, "upload": 20000000.0, "ping": 12.0, "timestamp": "%s", ' "$speed" "$(date -u +%FT%TZ)"
printf '"server": {"sponsor": "Example Networks", "name": "New York, NY"}}\\n'
"""
# Plex's own port stands for the Internet: a machine of the tests has none.
CONFIG = '[speed-test]\ncommand = ["/opt/speedtest"]\nendpoints = ["127.0.0.1:32400"]\n'
# The timer fires a second after it is started, besides its calendar: the clock of a machine is that of all.
SOON = "[Timer]\nOnActiveSec=1s\nAccuracySec=1s\nRandomizedDelaySec=0\n"


@pytest.fixture
def tested(plex_machine: Machine) -> Machine:
    """A machine with a Plex that nobody watches, and a command that measures 100 Mbit/s."""
    machine = plex_machine
    machine.write("/opt/speedtest", COMMAND, mode=0o755)
    set_speed(machine, "100000000.0")
    configure(machine, CONFIG)
    return machine


def set_speed(machine: Machine, speed: str) -> None:
    machine.write("/opt/speed", speed)


def runs(machine: Machine) -> list[str]:
    return machine.run(["cat", f"{STATE}/runs"], check=False).stdout.splitlines()


def list_tests(machine: Machine) -> list[dict[str, object]]:
    return list(json.loads(machine.run(["plexguard-speed-test", "list", "--format", "json"], user="nobody").stdout))


def next_elapse(machine: Machine) -> datetime:
    (timer,) = json.loads(machine.systemctl("list-timers", TIMER, "--output=json"))
    return datetime.fromtimestamp(timer["next"] / 1e6, tz=UTC)


def at_night(machine: Machine, *, began_ago: timedelta) -> None:
    """Have the night of the machine begin so long ago."""
    machine.write("/etc/systemd/system/plexguard-speed-test.timer.d/test.conf", SOON)
    began = datetime.now(UTC) - began_ago
    configure(machine, f'[speed-test]\nat = "{began:%H:%M}"\ntime_zone = "UTC"\n', name="60-night.toml")
    machine.systemctl("daemon-reload")


def fire(machine: Machine) -> None:
    """Let the timer fire once, and wait for what it started."""
    before = machine.unit(SERVICE).get("InvocationID")
    machine.systemctl("restart", TIMER)
    machine.wait_for(lambda: machine.unit(SERVICE).get("InvocationID") != before, timeout_s=30, what="the timer fires")
    machine.wait_for(
        lambda: machine.unit(SERVICE)["ActiveState"] in ("inactive", "failed"), timeout_s=60, what="the speed test ends"
    )


def machine_uptime_s(machine: Machine) -> float:
    return float(machine.read("/proc/uptime").split()[0])


def hold_dpkg(machine: Machine) -> subprocess.Popen[str]:
    hold = "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','r+'); fcntl.lockf(f,fcntl.LOCK_EX); print('held',flush=True); time.sleep(300)"
    holder = machine.spawn(["/usr/bin/python3", "-c", hold])
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    return holder


def test_it_is_on_and_can_be_turned_off(machine: Machine) -> None:
    before = machine.systemctl("list-timers", "plexguard*", "--plain", "--no-legend")

    machine.systemctl("disable", "--now", TIMER)

    assert TIMER in before
    assert TIMER not in machine.systemctl("list-timers", "plexguard*", "--plain", "--no-legend")
    assert machine.systemctl("is-enabled", TIMER, check=False).strip() == "disabled"


def test_it_runs_at_two_in_the_configured_zone(machine: Machine) -> None:
    usual = next_elapse(machine).astimezone(ZoneInfo("America/New_York"))

    configure(machine, '[speed-test]\nat = "22:30"\ntime_zone = "Asia/Kathmandu"\n')
    other = next_elapse(machine).astimezone(ZoneInfo("Asia/Kathmandu"))

    # At the hour or one of the three after it, five minutes late at most.
    assert usual.hour in (2, 3, 4, 5) and usual.minute <= 6
    assert other.hour in (22, 23, 0, 1) and 30 <= other.minute <= 36


def test_an_unknown_zone_is_a_mistake_and_the_timer_stays_as_it_was(machine: Machine) -> None:
    machine.write("/etc/plexguard/plexguard.toml.d/50-test.toml", '[speed-test]\ntime_zone = "Europe/Atlantis"\n')

    done = machine.run(["plexguard-status", "apply"], check=False)
    machine.systemctl("daemon-reload")

    assert done.returncode == 78
    assert 'found "Europe/Atlantis", allowed is a time zone by its name' in done.stdout + done.stderr
    assert "America/New_York" in machine.unit(TIMER)["TimersCalendar"]


def test_at_night_the_line_is_measured_once(tested: Machine) -> None:
    machine = tested
    at_night(machine, began_ago=timedelta(minutes=10))

    fire(machine)
    fire(machine)

    assert runs(machine) == ["plexguard "]
    (told,) = events(machine, "speed.result")
    assert told["_SYSTEMD_UNIT"] == SERVICE
    assert (told["PLEXGUARD_DOWNLOAD_MBIT_S"], told["PLEXGUARD_UPLOAD_MBIT_S"], told["PLEXGUARD_PING_MS"]) == (
        "100.0",
        "20.0",
        "12.0",
    )
    assert told["MESSAGE"] == "Download 100.0 Mbit/s, upload 20.0 Mbit/s, ping 12 ms (Example Networks (New York, NY))"
    assert "makes no more tests on this day" in explain(machine, "speed.result")
    (kept,) = list_tests(machine)
    assert kept["failure"] == ""
    assert machine.unit(SERVICE)["Result"] == "success"
    assert_clean_journal(machine)


def test_a_night_that_was_missed_is_not_made_up_by_day(tested: Machine) -> None:
    machine = tested
    at_night(machine, began_ago=timedelta(hours=6))

    fire(machine)
    fire(machine)

    assert runs(machine) == []
    (told,) = events(machine, "speed.put-off")
    assert "is not made up by day" in told["MESSAGE"]
    # Who starts it by hand means it, although the manager still says that it was the timer.
    fired_s = machine_uptime_s(machine)
    machine.wait_for(lambda: machine_uptime_s(machine) > fired_s + 31, timeout_s=60, what="the firing is a while ago")
    machine.systemctl("start", SERVICE)
    assert runs(machine) == ["plexguard "]
    assert_clean_journal(machine)


def test_it_yields_to_a_stream_and_runs_an_hour_later(tested: Machine) -> None:
    machine = tested
    set_plex(machine, sessions='[{"type": "movie", "state": "playing"}]')
    # The timer that is set anew may already fire while the configuration is being applied.
    at_night(machine, began_ago=timedelta(minutes=10))
    fire(machine)
    during = runs(machine)

    set_plex(machine, sessions="[]")
    fire(machine)

    assert during == []
    assert [event["PLEXGUARD_REASON"] for event in events(machine, "speed.put-off")] == ["somebody watches"]
    assert len(runs(machine)) == 1


def test_sessions_that_cannot_be_asked_are_not_nobody(tested: Machine) -> None:
    machine = tested
    machine.write("/etc/plexguard/credentials/plex.token", "wrongwrongwrongwrong\n", mode=0o600)

    machine.systemctl("start", SERVICE)

    assert runs(machine) == []
    assert "whether somebody watches cannot be told" in events(machine, "speed.put-off")[-1]["MESSAGE"]


def test_it_yields_to_an_update_and_to_a_missing_network(tested: Machine) -> None:
    machine = tested
    holder = hold_dpkg(machine)
    machine.systemctl("start", SERVICE)
    holder.kill()
    configure(machine, '[speed-test]\nendpoints = ["127.0.0.1:1", "192.0.2.1:443"]\n', name="60-test.toml")
    machine.systemctl("start", SERVICE)

    reasons = [event["PLEXGUARD_REASON"] for event in events(machine, "speed.put-off")]

    assert runs(machine) == []
    assert "an update is at work: python3" in reasons[0]
    assert reasons[1] == "there is no network: 127.0.0.1:1: Connection refused; 192.0.2.1:443: Network is unreachable"


def test_failed_attempts_are_four_a_day_and_survive_a_reboot(tested: Machine) -> None:
    machine = tested
    set_speed(machine, "broken")
    for _ in range(3):
        machine.systemctl("start", SERVICE)
    machine.reboot()
    # The time of day may not change meanwhile: what is counted is the day of New York.
    for _ in range(9):
        # Nobody starts it nine times in ten seconds; the service manager would not have it.
        machine.systemctl("reset-failed", SERVICE)
        machine.systemctl("start", SERVICE)

    assert len(runs(machine)) == 4
    failed = events(machine, "speed.failed")
    assert [event["PLEXGUARD_ATTEMPT"] for event in failed] == ["1", "2", "3", "4"]
    assert "ERROR: <urlopen error timed out>" in failed[0]["PLEXGUARD_REASON"]
    assert machine.failed_units() == []
    assert [test["result"] for test in list_tests(machine)] == [None] * 4


def test_a_slow_line_is_told_and_its_recovery_too(tested: Machine) -> None:
    machine = tested
    for speed in ("100000000.0", "98000000.0", "102000000.0", "20000000.0", "99000000.0"):
        set_speed(machine, speed)
        # A fresh day each: the budget is one of days.
        machine.run(["sh", "-c", f'sed -i \'s/"attempts": [0-9]*/"attempts": 0/\' {STATE}/state.json'], check=False)
        machine.systemctl("start", SERVICE)

    slow = await_event(machine, "speed.slow", timeout_s=5)
    recovered = await_event(machine, "speed.recovered", timeout_s=5)

    assert (slow["PLEXGUARD_SLOW"], slow["PLEXGUARD_USUAL_DOWNLOAD_MBIT_S"], slow["PRIORITY"]) == ("download", "100.0", "4")
    assert recovered["PLEXGUARD_DOWNLOAD_MBIT_S"] == "99.0"
    assert len(events(machine, "speed.slow")) == len(events(machine, "speed.recovered")) == 1
    assert "cables, router and provider" in explain(machine, "speed.slow")
    assert_clean_journal(machine, allowed=("speed.slow",))


def test_a_missing_command_is_told_once_by_the_timer(tested: Machine) -> None:
    machine = tested
    configure(machine, "", name="50-test.toml")  # speedtest-cli, which is only recommended
    at_night(machine, began_ago=timedelta(minutes=10))

    fire(machine)
    fire(machine)

    (told,) = events(machine, "speed.no-command")
    assert told["MESSAGE"].startswith("No speed test: speedtest-cli cannot be run")
    assert machine.failed_units() == []


def test_root_and_the_service_share_what_they_count(tested: Machine) -> None:
    machine = tested
    by_hand = machine.run(["plexguard-speed-test"])
    machine.systemctl("start", SERVICE)
    by_nobody = machine.run(["plexguard-speed-test"], user="nobody", check=False)

    assert by_hand.stdout == "download   100.0 Mbit/s  upload    20.0 Mbit/s  ping    12 ms  Example Networks (New York, NY)\n"
    assert len(list_tests(machine)) == 2
    days = json.loads(machine.read(f"{STATE}/state.json"))["days"]
    assert sum(day["attempts"] for day in days.values()) == 2
    assert (by_nobody.returncode, "run it as root" in by_nobody.stderr) == (77, True)
    assert machine.failed_units() == []


@pytest.fixture
def mini(tested: Machine) -> Iterator[Machine]:
    """The same machine with Debian's speedtest-cli and a Speedtest Mini page of its own."""
    machine = tested
    listed = subprocess.run(["dpkg", "-L", "speedtest-cli"], capture_output=True, text=True, timeout=30, check=False)
    files = [Path(line) for line in listed.stdout.splitlines() if Path(line).is_file() and "/share/" not in line]
    if not files:
        pytest.skip("speedtest-cli is not installed")
    for file in files:
        machine.push(file, str(file))
    machine.push(SIMULATOR, "/opt/speedtest_server.py")
    server = machine.spawn(["/usr/bin/python3", "/opt/speedtest_server.py", "8080", "/opt/mode"])
    command = ["/usr/bin/env", "http_proxy=http://127.0.0.1:8080", "speedtest-cli", "--json", "--mini", "http://127.0.0.1:8080"]
    configure(machine, f'[speed-test]\ncommand = {json.dumps(command)}\nendpoints = ["127.0.0.1:8080"]\n')
    machine.wait_for(
        lambda: machine.run(["curl", "-sf", "http://127.0.0.1:8080/"], check=False).returncode == 0,
        timeout_s=20,
        what="the Speedtest Mini page answers",
    )
    yield machine
    server.kill()


def test_the_sandbox_bears_speedtest_cli(mini: Machine) -> None:
    machine = mini
    machine.systemctl("start", SERVICE)
    machine.write("/opt/mode", "forbidden")
    machine.systemctl("start", SERVICE)

    (told,) = events(machine, "speed.result")
    assert told["PLEXGUARD_SERVER"] == "Speedtest Mini (127.0.0.1:8080)"
    assert float(told["PLEXGUARD_DOWNLOAD_MBIT_S"]) > 0 and float(told["PLEXGUARD_UPLOAD_MBIT_S"]) > 0
    assert "HTTP Error 403: Forbidden" in events(machine, "speed.failed")[-1]["PLEXGUARD_REASON"]
    assert_clean_journal(machine, allowed=("speed.failed",))
