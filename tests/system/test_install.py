"""The package: it installs, runs without configuration, is upgraded and purged, on both Debian releases."""

import re
from pathlib import Path

import pytest

from tests.machine import BASE, READY, Machine, installed
from tests.static.test_units import EXPOSED, MOST_EXPOSED
from tests.static.tree import ROOT
from tests.system.conftest import assert_clean_journal, configure, install_again

pytestmark = pytest.mark.machine

_TIMERS = {"plexguard-discover", "plexguard-perms-audit", "plexguard-perms-audit-full", "plexguard-plex-probe"}
_TIMERS |= {"plexguard-net-recover", "plexguard-speed-test", "plexguard-db-export"}


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_fresh_install_runs_without_configuration(deb: Path, suite: str) -> None:
    with Machine(READY.on(suite)) as machine:
        # What only those need who mount a storage.
        machine.run(["apt-get", "purge", "-y", "rclone", "fuse3"])
        machine.install(deb)

        listed = machine.systemctl("list-timers", "plexguard*", "--plain", "--no-legend")
        for service in ("discover", "perms-audit", "perms-audit-full", "plex-probe"):
            machine.systemctl("start", f"plexguard-{service}.service")

        assert {word.removesuffix(".timer") for word in listed.split() if word.endswith(".timer")} == _TIMERS
        assert machine.systemctl("is-active", "plexguard.target").strip() == "active"
        for socket in ("status", "mail", "perms-request"):
            assert machine.systemctl("is-active", f"plexguard-{socket}.socket").strip() == "active"
        assert machine.failed_units() == []
        # Without Plex each says once, in one line, what to configure.
        assert len(machine.journal(matches=["PLEXGUARD_EVENT=plex.no-server"])) == 1
        assert len(machine.journal(matches=["PLEXGUARD_EVENT=discover.not-found"])) == 1
        assert "set roots in [perms-audit]" in machine.journal_text("PLEXGUARD_EVENT=perms.no-roots")
        assert_clean_journal(machine)

        machine.push(ROOT / "debian/tests/smoke", "/tmp/smoke")
        machine.run(["/tmp/smoke"], timeout_s=120)


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_nobody_gets_what_only_some_need(deb: Path, suite: str) -> None:
    """By the dependencies that apt works out, with what is recommended: all are Debian's, and none is for mounts or for a cloud."""
    with Machine(BASE.on(suite)) as machine:
        machine.push(deb, "/tmp/plexguard.deb")
        planned = machine.run(["apt-get", "install", "--simulate", "--install-recommends", "/tmp/plexguard.deb"]).stdout

    chosen = dict(re.findall(r"^Inst (\S+) (.*)$", planned, re.MULTILINE))
    assert {"plexguard", "haproxy", "python3-click"} <= set(chosen)
    assert {name for name, source in chosen.items() if "Debian" not in source} == {"plexguard"}
    assert not set(chosen) & {"rclone", "fuse3", "docker.io", "docker-ce", "containerd", "default-mta", "sqlite3"}


def test_the_probe_without_plex_speaks_once(machine: Machine) -> None:
    for _ in range(3):
        machine.systemctl("start", "plexguard-plex-probe.service")

    lines = machine.journal(matches=["SYSLOG_IDENTIFIER=plexguard-plex-probe"])
    assert [line["PLEXGUARD_EVENT"] for line in lines] == ["plex.no-server"]


def test_everything_stops_with_the_target_and_comes_back(machine: Machine) -> None:
    machine.systemctl("stop", "plexguard.target")

    # The proxy ends after its breaker, and the target waits for neither.
    states = "--state=active,activating,deactivating"
    machine.wait_for(
        lambda: not machine.systemctl("list-units", "plexguard*", "--plain", "--no-legend", states).strip(),
        timeout_s=20,
        what="everything has stopped",
    )
    machine.systemctl("start", "plexguard.target")

    assert machine.systemctl("is-active", "plexguard-plex-probe.timer").strip() == "active"


def test_configuration_survives_a_reinstallation_and_purge_leaves_nothing(machine: Machine, deb: Path) -> None:
    configure(machine, '[plex-probe]\ntimeout = "4s"\n')
    machine.write("/etc/plexguard/plexguard.toml", '[plex]\ncontainer = "mine"\n')
    machine.write("/etc/plexguard/credentials/plex.token", "abcdefghij0123456789\n", mode=0o600)
    leave_traces(machine)

    install_again(machine, deb)
    kept = machine.read("/etc/plexguard/plexguard.toml")
    machine.run(["apt-get", "purge", "-y", "plexguard"])

    assert kept == '[plex]\ncontainer = "mine"\n'
    left = machine.run(
        [
            "find",
            "/",
            "-xdev",
            "-name",
            "*plexguard*",
            "-not",
            "-path",
            "/proc/*",
            "-not",
            "-path",
            "/tmp/*",
            "-not",
            "-path",
            "/etc/apt/*",
        ]
    ).stdout
    assert left.strip() == ""
    # The user stays, as Debian's users do: what it made outside of these folders would belong to somebody else one day.
    assert machine.run(["id", "-u", "plexguard"]).returncode == 0
    assert machine.failed_units() == []
    assert machine.run(["systemctl", "list-units", "plexguard*", "--all", "--plain", "--no-legend"]).stdout.strip() == ""
    assert machine.run(["systemctl", "list-unit-files", "plexguard*", "--no-legend"], check=False).stdout.strip() == ""


def leave_traces(machine: Machine) -> None:
    """Have the page asked for and an event delivered, so that there is something to remove."""
    configure(machine, '[notify.channel.any]\nkind = "webhook"\nurl = "http://127.0.0.1:9"\n', name="60-channel.toml")
    machine.run(["curl", "-sf", "http://127.0.0.1:32480/api/v1/timeline"])
    for path in ("status/index.sqlite", "notify/channels/any.json", "notify/spool/begin.json"):
        machine.run(["test", "-e", f"/var/lib/plexguard/{path}"])


def test_an_upgrade_keeps_changed_configuration_and_what_is_enabled(machine: Machine, deb: Path) -> None:
    machine.write("/etc/plexguard/plexguard.toml", '[plex]\ncontainer = "mine"\n')
    machine.systemctl("disable", "--now", "plexguard-perms-audit-full.timer")
    machine.push(deb, "/tmp/old.deb")
    newer = """
        set -e
        dpkg-deb -R /tmp/old.deb /tmp/newer
        sed -i 's/^Version: .*/Version: 99.0/' /tmp/newer/DEBIAN/control
        echo '# a new line in the shipped file' >> /tmp/newer/etc/plexguard/plexguard.toml
        dpkg-deb -b /tmp/newer /tmp/newer.deb
        """
    machine.run(["sh", "-c", newer])

    machine.run(["apt-get", "install", "-y", "-o", "Dpkg::Options::=--force-confold", "/tmp/newer.deb"])

    assert machine.run(["dpkg-query", "-W", "-f", "${Version}", "plexguard"]).stdout == "99.0"
    assert machine.read("/etc/plexguard/plexguard.toml") == '[plex]\ncontainer = "mine"\n'
    assert machine.systemctl("is-enabled", "plexguard-perms-audit-full.timer", check=False).strip() == "disabled"
    assert machine.systemctl("is-active", "plexguard-plex-probe.timer").strip() == "active"
    assert machine.failed_units() == []


def test_an_upgrade_starts_what_the_older_package_had_not(bare: Machine, deb: Path) -> None:
    new = ("plexguard-status.socket", "plexguard-mail.socket", "plexguard-notify.service")
    bare.push(deb, "/tmp/new.deb")
    older = """
        set -e
        dpkg-deb -R /tmp/new.deb /tmp/older
        rm /tmp/older/lib/systemd/system/plexguard-status.* /tmp/older/lib/systemd/system/plexguard-mail* \\
            /tmp/older/lib/systemd/system/plexguard-notify.*
        sed -i 's/^Version: .*/Version: 0.0.1/' /tmp/older/DEBIAN/control
        dpkg-deb -b /tmp/older /tmp/older.deb
        """
    bare.run(["sh", "-c", older])
    bare.run(["apt-get", "install", "-y", "--no-install-recommends", "/tmp/older.deb"])
    before = bare.systemctl("list-unit-files", *new, "--no-legend", check=False)

    bare.run(["apt-get", "install", "-y", "--no-install-recommends", "/tmp/new.deb"])

    assert before.strip() == ""
    assert [bare.systemctl("is-enabled", unit, check=False).strip() for unit in new] == ["enabled"] * 3
    assert [bare.systemctl("is-active", unit, check=False).strip() for unit in new[:2]] == ["active"] * 2
    assert bare.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:32480/"]).stdout == "200"
    # It ended by itself, without a channel.
    assert len(bare.journal(matches=["PLEXGUARD_EVENT=notify.no-channels"])) == 1
    assert bare.failed_units() == []
    assert_clean_journal(bare)


def test_what_was_disabled_for_good_stays_off_at_an_upgrade(machine: Machine, deb: Path) -> None:
    machine.systemctl("disable", "--now", "plexguard.target")

    install_again(machine, deb)

    running = machine.systemctl("list-units", "plexguard*", "--plain", "--no-legend", "--state=active,activating")
    assert running.strip() == ""


def test_a_removed_package_keeps_its_configuration(machine: Machine) -> None:
    machine.write("/etc/plexguard/plexguard.toml", '[plex]\ncontainer = "mine"\n')

    machine.run(["apt-get", "remove", "-y", "plexguard"])

    assert machine.read("/etc/plexguard/plexguard.toml") == '[plex]\ncontainer = "mine"\n'


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_services_are_as_confined_as_promised(deb: Path, suite: str) -> None:
    with Machine(installed(READY.on(suite), deb)) as machine:
        scores = exposures(machine)

    assert len(scores) >= 17
    excessive = {name: score for name, score in scores.items() if score > EXPOSED.get(name.replace("@x.", "@."), MOST_EXPOSED)}
    assert excessive == {}


def exposures(machine: Machine) -> dict[str, int]:
    """Return how exposed each service is, in tenths."""
    units = machine.systemctl("list-unit-files", "plexguard-*.service", "--plain", "--no-legend").split("\n")
    names = [line.split()[0].replace("@.", "@x.") for line in units if line.strip()]

    scores = {}
    for name in names:
        text = machine.run(["systemd-analyze", "security", "--no-pager", name]).stdout
        scores[name] = round(10 * float(text.rsplit("Overall exposure level for", 1)[1].split(":")[1].split()[0]))
    return scores


def test_help_man_pages_and_catalog_are_installed(machine: Machine) -> None:
    for name in machine.run(["sh", "-c", "ls /usr/bin/plexguard-*"]).stdout.split():
        command = name.removeprefix("/usr/bin/plexguard-")
        assert f"plexguard-{command}" in machine.run([f"plexguard-{command}", "--help"]).stdout
        assert machine.run(["man", "-w", f"plexguard-{command}"]).stdout.strip().endswith(".8.gz")
    assert "plexguard" in machine.run(["journalctl", "--list-catalog"]).stdout
