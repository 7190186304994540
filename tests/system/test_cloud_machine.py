"""The instance phase against a real machine: rented from the fake cloud, told by cloud-init, entered by ssh, given back."""

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.scaleway import SECRET_KEY, Mishap
from tests.machine import Layer
from tests.machine.rented import IMAGE
from tests.system.conftest import configure, events
from tests.system.house import CONFIG, KEY, RUN, House, house

pytestmark = pytest.mark.machine

INSTANCE = "plexguard-cloud-instance@delta.service"
STATE = "/var/lib/plexguard/cloud-run/delta"
TIMER = "plexguard-self-destruct.timer"
# Installed by no package in this machine's image, and by no mirror that it could reach.
WITHOUT_ZSTD = Layer(IMAGE, key="without zstd", prepare=lambda machine: machine.run(["dpkg", "--purge", "--force-depends", "zstd"]))


@pytest.fixture
def home(deb: Path) -> Iterator[House]:
    with house(deb) as home:
        yield home


def start(home: House, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Start the phase alone, as systemd does for the phase after it, and wait until it is done. It lasts while it is held."""
    home.machine.write(
        "/run/systemd/system/holder.service",
        f"[Unit]\nRequires={INSTANCE}\nAfter={INSTANCE}\n[Service]\nExecStart=/bin/sleep infinity\n",
    )
    home.machine.systemctl("daemon-reload")
    done = home.machine.run(["systemctl", "start", "holder.service"], timeout_s=300, check=False)
    if check:
        assert done.returncode == 0, done.stderr + home.machine.journal_text("-n", "60")
    return done


def end(home: House) -> None:
    home.machine.systemctl("stop", "holder.service")
    home.machine.wait_for(lambda: not home.cloud.left(), timeout_s=60, what="all is given back")
    home.machine.wait_for(
        lambda: home.machine.unit(INSTANCE)["ActiveState"] in ("inactive", "failed"), timeout_s=60, what="the end of the phase"
    )


def ssh(home: House, *argv: str, known_hosts: str = f"{STATE}/keys/known_hosts") -> subprocess.CompletedProcess[str]:
    (server,) = home.servers
    options = ("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}")
    place = f"root@{home.rented.address(server)}"
    return home.machine.run(["ssh", *options, "-i", f"{STATE}/keys/client", place, *argv], check=False)


def test_machine_is_rented_and_ready_and_given_back(home: House) -> None:
    start(home)

    line = home.machine.unit(INSTANCE)["StatusText"]
    assert line.startswith("ready: docker ") and "rclone v" in line
    assert ssh(home, "cat", "/run/plexguard/ready").stdout.startswith("boot_id=")
    # Its private key is its own by now: neither here nor with the provider, whose metadata anybody there may ask for.
    files = home.machine.run(["find", STATE, "-printf", "%m %P\n"]).stdout.splitlines()
    assert "600 keys/client" in files and not any(file.endswith(" keys/host") for file in files)
    (server,) = home.servers
    assert not home.cloud.world.servers[server].user_data
    assert "AUTHORIZED_KEY=ssh-ed25519_" in " ".join(home.cloud.left()[0].tags)
    known = home.machine.read(f"{STATE}/keys/known_hosts").split()[1:]
    assert known == home.guest.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    assert home.guest.run(["sh", "-c", "ls /etc/ssh/ssh_host_*_key"]).stdout.split() == ["/etc/ssh/ssh_host_ed25519_key"]
    assert home.guest.run(["cloud-init", "status"]).stdout.strip() == "status: done"
    assert "user_allow_other" in home.guest.read("/etc/fuse.conf").splitlines()
    assert home.guest.unit("ssh.service")["LimitNOFILE"] == "500000"
    journal = home.machine.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    assert "OPENSSH PRIVATE KEY" not in journal

    end(home)

    assert home.cloud.left() == []
    assert home.machine.run(["ls", STATE]).stdout.split() == ["lock", "state.json"]
    assert [found["PLEXGUARD_RUN"] for found in events(home.machine, "cloud.instance-destroyed")] == ["delta"]
    assert home.machine.failed_units() == []


def test_what_cloud_init_is_told_it_holds_for_valid(home: House) -> None:
    start(home)
    server = home.guest
    told = server.read("/var/lib/cloud/instance/user-data.txt")
    server.write("/root/told", told)

    assert server.run(["cloud-init", "schema", "--config-file", "/root/told"]).stdout.startswith("Valid cloud-config")
    server.write("/root/told", told.replace('"packages": [', '"packages": 5, "others": ['))
    assert server.run(["cloud-init", "schema", "--config-file", "/root/told"], check=False).returncode == 1


def test_another_machine_in_its_place_is_not_talked_to(home: House) -> None:
    start(home)
    home.guest.run(["sh", "-c", "rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh"])
    home.machine.systemctl("kill", "--signal=SIGKILL", INSTANCE, check=False)
    refused = ssh(home, "true")
    assert refused.returncode == 255 and "Host key verification failed" in refused.stderr

    unit = home.machine.run(
        [
            "runuser",
            "-u",
            "plexguard-cloud",
            "--",
            "env",
            "STATE_DIRECTORY=/var/lib/plexguard/cloud-run",
            "/usr/bin/python3",
            "-c",
            ENTER,
        ],
        check=False,
    )

    assert "HostKeyRefused" in unit.stderr
    end(home)


ENTER = f"""
import pathlib
from plexguard.cloud_run.keys import Keys
from plexguard.core.ssh import Login, connect
known = pathlib.Path("{STATE}/keys/known_hosts")
address = known.read_text().split()[0]
login = Login(name="x", address=address, user="root", keys=("{STATE}/keys/client",), known_hosts=(str(known),))
with connect(login):
    pass
"""


def test_machine_that_lacks_something_ends_with_its_own_words_and_nothing_left(deb: Path) -> None:
    with house(deb, image=WITHOUT_ZSTD) as home:
        done = start(home, check=False)

        assert done.returncode != 0
        home.machine.wait_for(lambda: not home.cloud.left(), timeout_s=60, what="all is given back")
        (failed,) = events(home.machine, "cloud.run-failed")
        assert "installing zstd failed with exit code" in failed["PLEXGUARD_REASON"]
        # The last lines of what cloud-init printed.
        assert (
            "Unable to locate package zstd" in failed["PLEXGUARD_REASON"] or "zstd" in failed["PLEXGUARD_REASON"].split(": ", 2)[2]
        )


def test_machine_is_armed_to_end_at_the_deadline_and_stays_so_after_a_reboot(home: House) -> None:
    start(home)
    (rented,) = events(home.machine, "cloud.instance-created")
    deadline = datetime.strptime(rented["PLEXGUARD_DEADLINE"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)

    for _ in range(2):
        timer = home.guest.unit(TIMER)
        assert timer["ActiveState"] == "active"
        armed = datetime.strptime(timer["NextElapseUSecRealtime"], "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        assert armed.replace(second=0) == deadline
        home.guest.reboot()
        home.guest.wait_for(lambda: home.guest.unit(TIMER)["ActiveState"] == "active", timeout_s=60, what="armed again")
    # Each boot ends with the file that says that it is ready, in that boot.
    boot = home.guest.read("/proc/sys/kernel/random/boot_id").strip()
    home.guest.wait_for(
        lambda: home.guest.run(["grep", "-c", boot, "/run/plexguard/ready"], check=False).stdout.strip() == "1",
        timeout_s=60,
        what="ready again",
    )


def test_machine_whose_deadline_is_over_powers_itself_off_and_needs_no_key_for_it(home: House) -> None:
    start(home)
    guest = home.guest
    before = guest.pid
    # Time passes while it is off: what it was to do meanwhile it does at its next boot.
    timer = f"/etc/systemd/system/{TIMER}"
    text = guest.read(timer)
    past = text.replace(text.split("OnCalendar=")[1].splitlines()[0], "2026-01-01 00:00:00 UTC")
    assert past != text
    guest.write(timer, past)
    guest.run(["touch", "-d", "2025-12-31", f"/var/lib/systemd/timers/stamp-{TIMER}"])
    guest.systemctl("daemon-reload")
    guest.run(["systemctl", "--no-block", "restart", TIMER], check=False)

    home.machine.wait_for(lambda: not Path(f"/proc/{before}").exists(), timeout_s=60, what="the guest is off")
    assert not guest.is_on


def test_type_that_is_refused_when_it_is_asked_for_is_had_elsewhere(home: House) -> None:
    configure(home.machine, CONFIG + 'zones = ["fr-par-1", "nl-ams-1"]\n')
    home.cloud.set(mishaps=(Mishap(kind="out-of-stock", method="POST", path="fr-par-1/servers$", times=1),))

    start(home)

    (refused,) = events(home.machine, "cloud.machine-refused")
    assert (refused["PLEXGUARD_ZONE"], refused["PLEXGUARD_TYPE"]) == ("fr-par-1", "DEV1-S")
    assert [one.zone for one in home.cloud.left() if one.kind == "server"] == ["nl-ams-1"]
    end(home)


def test_what_cannot_work_stops_before_anything_is_rented(home: House) -> None:
    machine, cloud = home.machine, home.cloud
    spoilt: list[tuple[Callable[[], object], str]] = [
        (lambda: machine.write(KEY, "11111111-2222-3333-4444-555555555555\n", mode=0o600), "denied"),
        (lambda: machine.run(["rm", KEY]), "the secret key of Scaleway is not there"),
        (lambda: configure(machine, CONFIG + 'zones = ["fr-par-9"]\n'), "fr-par-9"),
        (lambda: machine.write(RUN, 'type = "HUGE-1"\n'), "HUGE-1 in fr-par-1: not offered"),
        # Of the machine, which keeps no lease: so nothing may be asked for.
        (lambda: machine.run(["sh", "-c", FILL]), "No space left"),
    ]
    for spoil, why in spoilt:
        machine.write(KEY, SECRET_KEY + "\n", mode=0o600)
        machine.write(RUN, 'instance = "lite"\n')
        configure(machine, CONFIG)
        cursor = machine.cursor()
        spoil()

        assert start(home, check=False).returncode != 0, why
        told = [entry["MESSAGE"] for entry in machine.journal("plexguard-cloud-*@delta.service", since_cursor=cursor)]
        assert any(why.lower() in line.lower() for line in told), (why, told)
    assert cloud.left() == []
    assert not any(one.method == "POST" for one in cloud.requests)


FILL = """\
mkdir -p /var/lib/plexguard/cloud-run && mount -t tmpfs -o size=4k none /var/lib/plexguard/cloud-run &&
chown plexguard-cloud: /var/lib/plexguard/cloud-run && ! head -c 8192 /dev/zero > /var/lib/plexguard/cloud-run/full
"""
