"""The configuration in the running system: check-config, apply, and the generator's drop-ins."""

from pathlib import Path

import pytest

from tests.machine import READY, Machine, installed
from tests.system.conftest import configure, events
from tests.system.native_plex import FILMS

pytestmark = pytest.mark.machine

_THREE_MISTAKES = """\
[perms-audit]
file_mode = "999"
rots = ["/srv"]

[plex-probe]
timeout = "soon"
"""


def test_three_mistakes_are_reported_at_once_and_the_shipped_units_stand(machine: Machine) -> None:
    machine.write("/etc/plexguard/plexguard.toml", _THREE_MISTAKES)

    checked = machine.run(["plexguard-status", "check-config"], check=False)
    machine.systemctl("daemon-reload")

    assert checked.returncode == 78
    assert [line.split(": ")[1] for line in checked.stdout.splitlines()] == [
        "[perms-audit] file_mode",
        "[perms-audit] rots",
        "[plex-probe] timeout",
    ]
    assert 'did you mean "roots"?' in checked.stdout
    assert machine.run(["find", "/run/systemd/generator", "-path", "*plexguard*"]).stdout == ""
    assert len(events(machine, "config.not-applied")) == 3
    applied = machine.run(["plexguard-status", "apply"], check=False)
    assert (applied.returncode, "applied" in applied.stdout) == (78, False)


def test_a_boot_with_a_bad_configuration_is_a_good_boot(deb: Path) -> None:
    """The programs refuse to run with it, and everything else of the machine is untouched."""
    with Machine(installed(READY, deb), allow_degraded=True) as machine:
        machine.write("/etc/plexguard/plexguard.toml", "this is not TOML\n")

        machine.reboot()

        assert machine.systemctl("is-active", "multi-user.target").strip() == "active"
        assert machine.systemctl("is-active", "plexguard-plex-probe.timer").strip() == "active"
        stopped = {"plexguard-log-watch.service", "plexguard-perms-guard.service", "plexguard-proxy-breaker.service"}
        front = {"plexguard-proxy.service", "plexguard-proxy-pictures.service"}
        others = {*front, "plexguard-discover.service", "plexguard-notify.service", "plexguard-plex-probe.service"}
        assert set(machine.failed_units()) <= {*stopped, *others}

        machine.write("/etc/plexguard/plexguard.toml", "")
        machine.run(["plexguard-status", "apply"])

        assert {machine.unit(unit)["ActiveState"] for unit in stopped} == {"active"}


def test_roots_become_the_only_folders_that_the_audit_may_write(machine: Machine) -> None:
    machine.run(["mkdir", "-p", "/srv/a b%", "/srv/net"])
    machine.write("/etc/fstab", "server:/media /srv/net nfs noauto 0 0\n")

    configure(machine, '[perms-audit]\nroots = ["/srv/a b%", "/srv/net/films", "/etc", "/srv/missing"]\n')

    unit = machine.unit("plexguard-perms-audit.service")
    # For the network mount the local folder that it is mounted in, which holds the two others.
    assert unit["ReadWritePaths"] == "-/run/plexguard/health -/srv"
    assert "/srv/net" not in unit["RequiresMountsFor"]
    assert "/srv/a b%" in unit["RequiresMountsFor"].replace('"', "").replace("\\x20", " ")


def test_apply_changes_timers_and_the_first_run_after_boot_stays(machine: Machine) -> None:
    configure(machine, '[plex-probe]\ninterval = "45s"\n[perms-audit]\nfull_calendar = "Mon 03:00 Europe/Berlin"\n')

    probe = machine.unit("plexguard-plex-probe.timer")
    full = machine.unit("plexguard-perms-audit-full.timer")

    assert "OnUnitInactiveUSec=45s" in probe["TimersMonotonic"]
    assert "OnBootUSec=30s" in machine.systemctl("show", "plexguard-plex-probe.timer", "-p", "TimersMonotonic")
    assert "OnCalendar=Mon *-*-* 03:00:00 Europe/Berlin" in full["TimersCalendar"]


def test_a_calendar_that_is_none_is_a_mistake_and_the_default_stands(machine: Machine) -> None:
    machine.write("/etc/plexguard/plexguard.toml", '[perms-audit]\nfull_calendar = "every full moon"\n')

    checked = machine.run(["plexguard-status", "check-config"], check=False)
    machine.systemctl("daemon-reload")

    assert (checked.returncode, "every full moon" in checked.stdout) == (78, True)
    assert "*-*-* 05:30:00" in machine.unit("plexguard-perms-audit-full.timer")["TimersCalendar"]


def test_found_libraries_become_writable_without_any_configuration(plex_machine: Machine) -> None:
    assert FILMS in plex_machine.unit("plexguard-perms-audit.service")["ReadWritePaths"]


def test_a_shell_completes_the_units_of_each_run(machine: Machine) -> None:
    """As bash does it with systemd's own completion, before any of them was ever started."""
    script = """
        . /usr/share/bash-completion/bash_completion; . /usr/share/bash-completion/completions/systemctl
        COMP_WORDS=(systemctl start plexguard-cloud-run@) COMP_CWORD=2; _systemctl; printf '%s\\n' "${COMPREPLY[@]}"
        """
    offered = lambda: machine.run(["bash", "-c", script], check=False).stdout.split()  # noqa: E731
    before = offered()
    machine.write("/etc/plexguard/cloud-run/mine.toml", 'database = "newest"\n')
    configure(machine, '[cloud-run]\nprovider = "ssh"\nssh = "nas"\n')

    assert before == []
    assert offered() == [f"plexguard-cloud-run@{name}.service" for name in ("delta", "full", "localtest", "mine")]
    assert "generated" in machine.systemctl("list-unit-files", "plexguard-cloud-apply@mine.service", "--no-legend")
