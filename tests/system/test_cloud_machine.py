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

    (server,) = home.servers
    line = home.machine.unit(INSTANCE)["StatusText"]
    assert line.startswith("ready: docker ") and "rclone v" in line
    assert ssh(home, "cat", "/run/plexguard/ready").stdout.startswith("boot_id=")
    # Its private key is its own by now: neither here nor with the provider, whose metadata anybody there may ask for.
    files = home.machine.run(["find", STATE, "-printf", "%m %P\n"]).stdout.splitlines()
    assert "600 keys/client" in files and not any(file.endswith(" keys/host") for file in files)
    assert not home.cloud.world.servers[server].user_data
    assert "AUTHORIZED_KEY=ssh-ed25519_" in " ".join(home.cloud.left()[0].tags)
    assert "OPENSSH PRIVATE KEY" not in home.machine.run(["journalctl", "--no-pager", "-o", "export"]).stdout
    assert_as_told(home)
    assert_armed_for_good(home)
    assert_another_machine_is_refused(home)
    assert_ends_itself_at_its_deadline(home)

    end(home)

    assert home.cloud.left() == []
    assert home.machine.run(["ls", STATE]).stdout.split() == ["lock", "run.toml", "state.json"]
    assert [found["PLEXGUARD_RUN"] for found in events(home.machine, "cloud.instance-destroyed")] == ["delta"]
    assert home.machine.failed_units() == []


def assert_as_told(home: House) -> None:
    """What the machine was told is a valid cloud-config, and is what it became."""
    guest = home.guest
    known = home.machine.read(f"{STATE}/keys/known_hosts").split()[1:]
    assert known == guest.read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2]
    assert guest.run(["sh", "-c", "ls /etc/ssh/ssh_host_*_key"]).stdout.split() == ["/etc/ssh/ssh_host_ed25519_key"]
    assert guest.run(["cloud-init", "status"]).stdout.strip() == "status: done"
    assert "user_allow_other" in guest.read("/etc/fuse.conf").splitlines()
    assert guest.unit("rescue.service")["LimitNOFILE"] == "500000"
    told = guest.read("/var/lib/cloud/instance/user-data.txt")
    guest.write("/root/told", told)
    assert "Valid cloud-config" in guest.run(["cloud-init", "schema", "--config-file", "/root/told"]).stdout
    guest.write("/root/told", told.replace('"packages": [', '"packages": 5, "others": ['))
    assert guest.run(["cloud-init", "schema", "--config-file", "/root/told"], check=False).returncode == 1


def assert_armed_for_good(home: House) -> None:
    """The machine ends itself at the deadline, also after a reboot of its own, at the end of which it is ready again."""
    (rented,) = events(home.machine, "cloud.instance-created")
    deadline = datetime.strptime(rented["PLEXGUARD_DEADLINE"], "%Y-%m-%d %H:%M UTC").replace(tzinfo=UTC)
    before = home.guest.read("/run/plexguard/ready")
    assert armed(home).replace(second=0) == deadline

    home.guest.reboot()
    home.machine.wait_for(
        lambda: home.guest.run(["cat", "/run/plexguard/ready"], check=False).stdout, timeout_s=120, what="the guest is ready again"
    )

    assert armed(home).replace(second=0) == deadline
    assert home.guest.read("/run/plexguard/ready") != before
    assert ssh(home, "true").returncode == 0


def armed(home: House) -> datetime:
    timer = home.guest.unit(TIMER)
    assert timer["ActiveState"] == "active"
    return datetime.strptime(timer["NextElapseUSecRealtime"], "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)


def assert_another_machine_is_refused(home: House) -> None:
    """One with other keys in the place of ours is not talked to, by neither of the two ways in which we do."""
    home.guest.run(["sh", "-c", "rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh"])

    refused = ssh(home, "true")
    assert refused.returncode == 255 and "Host key verification failed" in refused.stderr
    entered = home.machine.run(["runuser", "-u", "plexguard-cloud", "--", "/usr/bin/python3", "-c", ENTER], check=False)
    assert "HostKeyRefused" in entered.stderr


ENTER = f"""
import pathlib
from plexguard.core.ssh import Login, connect
known = pathlib.Path("{STATE}/keys/known_hosts")
address = known.read_text().split()[0]
with connect(Login(name="x", address=address, user="root", keys=("{STATE}/keys/client",), known_hosts=(str(known),))):
    pass
"""


def assert_ends_itself_at_its_deadline(home: House) -> None:
    """It powers itself off when the time that it is armed for is over, and holds no key with which it could do more."""
    guest, (server,) = home.guest, home.servers
    before = guest.pid
    guest.run(["sh", "-c", f"sed -i 's/^OnCalendar=.*/OnCalendar=*:*:*/' /etc/systemd/system/{TIMER}"])
    guest.systemctl("daemon-reload")
    guest.run(["systemctl", "--no-block", "restart", TIMER], check=False)

    home.machine.wait_for(lambda: not Path(f"/proc/{before}").exists(), timeout_s=60, what="the guest is off")
    assert not guest.is_on
    home.cloud.power_off_guest(server)


def test_what_cannot_work_stops_before_anything_is_rented_and_what_goes_wrong_later_leaves_nothing(home: House) -> None:
    machine, cloud = home.machine, home.cloud
    spoilt: list[tuple[Callable[[], object], str]] = [
        (lambda: machine.write(KEY, "11111111-2222-3333-4444-555555555555\n", mode=0o600), "denied"),
        (lambda: machine.run(["rm", KEY]), "the secret key of Scaleway is not there"),
        (lambda: configure(machine, CONFIG + 'zones = ["fr-par-9"]\n'), "fr-par-9"),
        (lambda: machine.write(RUN, 'type = "HUGE-1"\nmedia = ""\n'), "HUGE-1 in fr-par-1: not offered"),
        # Of the machine, which keeps no lease: so nothing may be asked for.
        (lambda: machine.run(["sh", "-c", FILL]), "No space left"),
    ]
    for spoil, why in spoilt:
        make_good(home)
        cursor = machine.cursor()
        spoil()
        assert start(home, check=False).returncode != 0, why
        told = [entry["MESSAGE"] for entry in machine.journal("plexguard-cloud-*@delta.service", since_cursor=cursor)]
        assert any(why.lower() in line.lower() for line in told), (why, told)
    assert cloud.left() == []
    assert not any(one.method == "POST" for one in cloud.requests)
    machine.run(["umount", "/var/lib/plexguard/cloud-run"])

    # Had elsewhere, where it is refused; and there the machine lacks something that no mirror has.
    make_good(home)
    configure(machine, CONFIG + 'zones = ["fr-par-1", "nl-ams-1"]\n')
    cloud.set(mishaps=(Mishap(kind="out-of-stock", method="POST", path="fr-par-1/servers$", times=1),))
    WITHOUT_ZSTD.path()
    home.rented.use(WITHOUT_ZSTD)
    assert start(home, check=False).returncode != 0

    machine.wait_for(lambda: not cloud.left(), timeout_s=60, what="all is given back")
    (refused,) = events(machine, "cloud.machine-refused")
    assert (refused["PLEXGUARD_ZONE"], refused["PLEXGUARD_TYPE"]) == ("fr-par-1", "DEV1-S")
    (rented,) = events(machine, "cloud.instance-created")
    assert rented["PLEXGUARD_ZONE"] == "nl-ams-1"
    failed = events(machine, "cloud.run-failed")[-1]["PLEXGUARD_REASON"]
    assert "installing zstd failed with exit code 127" in failed
    # The last lines of what its first boot has printed.
    assert "/" in failed.partition("exit code 127")[2]


def make_good(home: House) -> None:
    home.machine.write(KEY, SECRET_KEY + "\n", mode=0o600)
    home.machine.write(RUN, 'instance = "lite"\nmedia = ""\n')
    configure(home.machine, CONFIG)


FILL = """\
mkdir -p /var/lib/plexguard/cloud-run && mount -t tmpfs -o size=4k none /var/lib/plexguard/cloud-run &&
chown plexguard-cloud: /var/lib/plexguard/cloud-run && ! head -c 8192 /dev/zero > /var/lib/plexguard/cloud-run/full
"""
