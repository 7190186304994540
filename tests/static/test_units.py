"""Units: one sandbox for all with its exceptions argued, one target, one preset, and systemd itself reads them."""

import itertools
import re
import shutil

import pytest

from plexguard.cloud_run.life.chain import HOLDING_PHASES, PHASES, phase_unit
from tests import generate, verify_units
from tests.static.tree import FOREIGN, ROOT, UNITS, Line, UnitFile, page_file, runs_foreign, services, units

EACH = pytest.mark.parametrize("unit", units(), ids=lambda unit: unit.name)
EACH_SERVICE = pytest.mark.parametrize("unit", services(), ids=lambda unit: unit.name)
NEEDS_ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")

BLOCK_HEAD = "# Sandbox: the same in every unit and sorted; an exception has its reason on the line above it."
# What every service has unless a comment says why not.
SANDBOX = {
    "CapabilityBoundingSet": [""],
    # Of others: its own are where $CREDENTIALS_DIRECTORY says.
    "InaccessiblePaths": ["-/etc/plexguard/credentials"],
    # Memory holds secrets.
    "LimitCORE": ["0"],
    "LockPersonality": ["yes"],
    "MemoryDenyWriteExecute": ["yes"],
    "NoNewPrivileges": ["yes"],
    "PrivateDevices": ["yes"],
    "PrivateTmp": ["yes"],
    "PrivateUsers": ["yes"],
    "ProcSubset": ["pid"],
    "ProtectClock": ["yes"],
    "ProtectControlGroups": ["yes"],
    "ProtectHome": ["yes"],
    "ProtectHostname": ["yes"],
    "ProtectKernelLogs": ["yes"],
    "ProtectKernelModules": ["yes"],
    "ProtectKernelTunables": ["yes"],
    "ProtectProc": ["invisible"],
    "ProtectSystem": ["strict"],
    # ProtectSystem=strict leaves it writable beside ProtectProc= or ProcSubset=, in a container at least (systemd 252 and 257).
    "ReadOnlyPaths": ["/run"],
    "RemoveIPC": ["yes"],
    "RestrictAddressFamilies": ["AF_UNIX"],
    "RestrictNamespaces": ["yes"],
    "RestrictRealtime": ["yes"],
    "RestrictSUIDSGID": ["yes"],
    "SystemCallArchitectures": ["native"],
    "SystemCallErrorNumber": ["EPERM"],
    "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    "UMask": ["0077"],
}
# Exposure by `systemd-analyze security`, in tenths.
MOST_EXPOSED = 20
# What runs sendmail, whose set-id bits have no effect behind anything that implies NoNewPrivileges=yes. It runs as user plexguard.
# What rclone mounts with, fusermount3, has such a bit too; and most of the rest would hide the mount from everybody else.
# What covers a mount point has to be seen by all too; and what looks through a container as Plex's user enters it.
# What puts a database in place of Plex's is root, asks Plex, and may reach another machine.
EXPOSED = {
    "plexguard-cloud-apply@.service": 29,
    "plexguard-mail@.service": 67,
    "plexguard-rclone@.service": 70,
    "plexguard-rclone-cover@.service": 34,
    "plexguard-rclone-inside@.service": 26,
}
# How services are started again that are not as the others: on what, and with which exit status not.
RESTARTED = {"plexguard-rclone@.service": ("always", "1 USAGE CONFIG NOPERM")}
# Whose failures another service tells, by what it sees of their work.
RUN = "plexguard-cloud-run@%i.service"
CHAIN = tuple(phase_unit(phase, "") for phase in PHASES)
TOLD_BY_OTHERS = {"plexguard-rclone@.service"}
# Each fails with the one that it needs: OnFailure= of each would tell one failure nine times. What is released tells it.
TOLD_ONCE = {*CHAIN, RUN.replace("%i", "")}
# Its start is refused without a run, to whoever is there to start it.
TOLD_AT_ONCE = {"plexguard-cloud-hold@.service"}


def block_of(unit: UnitFile) -> list[str]:
    """Return the lines of the sandbox block, to the end of its section."""
    lines = unit.text.splitlines()
    assert BLOCK_HEAD in lines, "no sandbox block"
    rows = lines[lines.index(BLOCK_HEAD) + 1 :]
    return list(itertools.takewhile(lambda row: not row.startswith("["), rows))


def names_left_out(rows: list[str]) -> dict[str, int]:
    """Return the settings that a comment leaves out ("# No ProcSubset=, ProtectProc=: the reason"), with their row."""
    return {
        name: number
        for number, row in enumerate(rows)
        if (found := re.match(r"# No ((?:\w+=(?:, | and )?)+): \S", row))
        for name in re.findall(r"(\w+)=", found[1])
    }


def first_difference(given: list[Line], usual: list[str]) -> Line | None:
    """Return the line that is not as usual: the one that was added to a list, else the setting's first."""
    values = [line.value for line in given]
    if values == usual:
        return None
    return given[len(usual)] if values[: len(usual)] == usual else given[0]


def sandbox_faults(unit: UnitFile) -> list[str]:
    rows = block_of(unit)
    left_out = names_left_out(rows)
    lines = [line for line in unit.lines if line.section == "Service"]
    faults = []
    for name, usual in SANDBOX.items():
        given = [line for line in lines if line.name == name]
        if not given:
            faults += [] if name in left_out else [f"{name}= is missing without a reason"]
        elif (other := first_difference(given, usual)) is not None and not other.comments:
            faults.append(f"{name}={other.value} differs without a reason on the line above it")
    faults += [f"{name}= is left out and there" for name in left_out if any(line.name == name for line in lines)]
    return faults


def restart_of(unit: UnitFile) -> tuple[str, str]:
    """Return when a service is to be started again, and with which exit status it is not."""
    return RESTARTED.get(unit.name, ("on-failure", "USAGE CONFIG NOPERM"))


@EACH
def test_comment_opens_the_unit(unit):
    assert unit.text.startswith("# ")


@EACH
def test_description_and_documentation(unit):
    assert unit.value("Unit", "Description")
    documentation = (unit.value("Unit", "Documentation") or "").split()
    assert documentation
    for page in documentation:
        assert page.startswith("man:") and page_file(page.removeprefix("man:")).exists()


@EACH
def test_stop_of_the_target_stops_it(unit):
    # Work of days that is paid for is ended by who asks for it, and by nothing else.
    if unit.name.startswith("plexguard-cloud-") and "@" in unit.name:
        assert unit.value("Unit", "PartOf") == (RUN if unit.name in CHAIN else None)
        return
    assert (unit.value("Unit", "PartOf") == "plexguard.target") is (unit.name != "plexguard.target")


def test_phases_are_a_chain_of_which_nothing_stays_when_nothing_needs_it():
    by_name = {unit.name: unit for unit in services()}
    for before, name in zip((None, *CHAIN), (*CHAIN, RUN.replace("%i", "")), strict=True):
        unit = by_name[name]
        needed = [f"{before.replace('@', '@%i')}"] if before else []
        assert unit.values("Unit", "Requires") == needed and set(needed) <= set(unit.values("Unit", "After"))
        assert unit.value("Service", "Type") == "oneshot"
        is_phase = name in CHAIN
        assert (unit.value("Unit", "StopWhenUnneeded") == "yes") is is_phase
        assert (unit.value("Service", "RemainAfterExit") == "yes") is is_phase
        # ExecStop= beside it would release twice.
        assert unit.value("Service", "ExecStop") is None
        phase = name.removeprefix("plexguard-cloud-").removesuffix("@.service")
        released = [f"/usr/bin/plexguard-cloud-run release {phase} %i"] if phase in HOLDING_PHASES else []
        assert unit.values("Service", "ExecStopPost") == released
        assert unit.value("Service", "TimeoutStopSec") == ("10min" if released else None)
        # What runs at its end needs its credentials too.
        assert ("PLEXGUARD_CREDENTIALS=/tmp/credentials" in unit.values("Service", "Environment")) is bool(released)


@EACH
def test_setting_is_given_once_or_is_a_list(unit):
    lists = {
        "InaccessiblePaths",
        "ExecStartPre",
        "ExecStopPost",
        "PathChanged",
        "LoadCredential",
        "SetCredential",
        "SystemCallFilter",
        "After",
        "Wants",
    }
    names = [(line.section, line.name) for line in unit.lines if line.name not in lists]
    assert len(names) == len(set(names))


@EACH_SERVICE
def test_sandbox_is_whole_and_its_exceptions_have_reasons(unit):
    assert sandbox_faults(unit) == []


@EACH_SERVICE
def test_sandbox_is_sorted(unit):
    rows = block_of(unit)
    names = [row.partition("=")[0] for row in rows if row and not row.startswith("#")]
    assert names == sorted(names)
    assert set(names) <= set(SANDBOX), "not part of the sandbox: put it above the block"
    # A comment for what is left out stands where the setting would.
    for name, number in names_left_out(rows).items():
        before = [row.partition("=")[0] for row in rows[:number] if row and not row.startswith("#")]
        after = [row.partition("=")[0] for row in rows[number:] if row and not row.startswith("#")]
        assert all(other < name for other in before) and all(other > name for other in after)


@EACH_SERVICE
def test_sandbox_settings_stand_in_the_block_only(unit):
    above = unit.text.partition(BLOCK_HEAD)[0]
    assert not [name for name in SANDBOX if re.search(rf"^{name}=", above, re.MULTILINE)]


def test_missing_setting_is_noticed():
    unit = services()[0]
    cut = unit.text.replace("LockPersonality=yes\n", "")
    lines = tuple(line for line in unit.lines if line.name != "LockPersonality")
    assert sandbox_faults(UnitFile(unit.path, cut, lines)) == ["LockPersonality= is missing without a reason"]


def test_exception_without_a_reason_is_noticed():
    unit = services()[0]
    lines = tuple(line if line.name != "UMask" else Line("Service", "UMask", "0000", ()) for line in unit.lines)
    assert sandbox_faults(UnitFile(unit.path, unit.text, lines)) == ["UMask=0000 differs without a reason on the line above it"]


def test_call_that_is_added_without_a_reason_is_noticed():
    unit = services()[0]
    lines = (*unit.lines, Line("Service", "SystemCallFilter", "@mount", ()))
    assert sandbox_faults(UnitFile(unit.path, unit.text, lines)) == [
        "SystemCallFilter=@mount differs without a reason on the line above it"
    ]


@EACH_SERVICE
def test_rate_limit_lets_every_event_through(unit):
    assert unit.value("Service", "LogRateLimitIntervalSec") == "1s"
    assert unit.value("Service", "LogRateLimitBurst") == "1000000"


@EACH_SERVICE
def test_failure_of_a_service_is_told_but_that_of_the_one_that_tells(unit):
    # With %n of an instance the manager would not pass on whose failure it was ($MONITOR_UNIT and its kin).
    handler = "plexguard-alert@%p-%i.service" if "@" in unit.name else "plexguard-alert@%n.service"
    is_told_otherwise = unit.name == "plexguard-alert@.service" or unit.name in TOLD_ONCE | TOLD_AT_ONCE
    assert unit.value("Unit", "OnFailure") == (None if is_told_otherwise else handler)


@EACH_SERVICE
def test_failure_of_a_service_that_is_started_again_is_told_by_itself(unit):
    # OnFailure= is for a unit that stays failed, and one with Restart= does not.
    # By a shell, which asks before Python is started: a stop waits for it.
    teller = (
        """-/bin/sh -c 'test "$$SERVICE_RESULT" = success || exec "$$0" "$$@"' /usr/bin/plexguard-notify alert --restarted %n"""
    )
    is_restarted = unit.value("Service", "Restart") is not None
    assert (teller in unit.values("Service", "ExecStopPost")) is (is_restarted and unit.name not in TOLD_BY_OTHERS)
    if is_restarted:
        assert unit.value("Service", "RestartPreventExitStatus") == restart_of(unit)[1]


@EACH_SERVICE
def test_service_has_a_limit_in_time(unit):
    match unit.value("Service", "Type"):
        case "oneshot":
            assert unit.value("Service", "TimeoutStartSec")
            # Does nothing for a oneshot.
            assert unit.value("Service", "WatchdogSec") is None
        case "notify":
            # What another's program does not feed would kill it.
            assert (unit.value("Service", "WatchdogSec") is None) is runs_foreign(unit)
            assert (unit.value("Service", "Restart"), unit.value("Service", "RestartPreventExitStatus")) == restart_of(unit)
        case other:
            pytest.fail(f"Type={other}")


@EACH_SERVICE
def test_every_credential_may_be_missing(unit):
    def names(setting):
        return {value.partition(":")[0] for value in unit.values("Service", setting)}

    assert names("LoadCredential") == names("SetCredential")
    assert all(value.partition(":")[2] for value in unit.values("Service", "SetCredential")), "an empty one fails the unit on 252"


# Timers that the generator has the target want, where the configuration asks for them.
PULLED_IN = {"plexguard-cloud-reaper.timer", "plexguard-cloud-resume.service", "plexguard-trash.timer"}


@EACH_SERVICE
def test_user_is_one_that_the_package_makes(unit):
    user = unit.value("Service", "User")
    made = re.findall(r"^u (\S+)", (ROOT / "packaging/sysusers.d/plexguard.conf").read_text(encoding="utf-8"), re.MULTILINE)
    made += FOREIGN.values() if runs_foreign(unit) else []
    assert user is None or user in made


@EACH_SERVICE
def test_service_behind_a_timer_or_path_is_not_installed(unit):
    starters = [UNITS / f"{unit.path.stem}{suffix}" for suffix in (".timer", ".path", ".socket")]
    if any(starter.exists() for starter in starters) or "@" in unit.name:
        assert not unit.has_section("Install")


@pytest.mark.parametrize("unit", [u for u in units() if u.path.suffix in (".timer", ".path")], ids=lambda unit: unit.name)
def test_starter_shares_the_stem_of_its_service_and_is_installed(unit):
    assert (UNITS / f"{unit.path.stem}.service").exists()
    assert unit.value("Timer", "Unit") is None and unit.value("Path", "Unit") is None
    if unit.name not in PULLED_IN:
        assert unit.value("Install", "WantedBy") == "plexguard.target"


@pytest.mark.parametrize("unit", [u for u in units() if u.path.suffix == ".timer"], ids=lambda unit: unit.name)
def test_timer_of_a_probe_is_exact(unit):
    # The default of a minute makes a 30 s timer fire after 60.
    seconds = re.fullmatch(r"(\d+)s", unit.value("Timer", "OnUnitInactiveSec") or "")
    assert seconds is None or unit.value("Timer", "AccuracySec") == "1s"


def test_no_check_waits_for_another_job():
    # Discovery may take its 20 s for a Plex that does not answer: just when the checks matter.
    checks = [unit for unit in services() if (UNITS / f"{unit.path.stem}.timer").exists() and is_check(unit)]
    assert {"plexguard-plex-probe.service", "plexguard-net-recover.service"} <= {unit.name for unit in checks}
    assert [unit.name for unit in checks if unit.values("Unit", "After")] == []


def is_check(unit: UnitFile) -> bool:
    """Tell whether a service is run by its timer every minute or more often."""
    timer = next(other for other in units() if other.name == f"{unit.path.stem}.timer")
    seconds = re.fullmatch(r"(\d+)s", timer.value("Timer", "OnUnitInactiveSec") or "")
    return seconds is not None and int(seconds[1]) <= 60


def test_preset_enables_all_that_can_be():
    preset = (ROOT / "packaging/preset/50-plexguard.preset").read_text(encoding="utf-8").splitlines()
    rules = [line for line in preset if line and not line.startswith("#")]
    enabled = [line.removeprefix("enable ") for line in rules if line.startswith("enable ")]
    assert sorted(enabled) == sorted(unit.name for unit in units() if unit.has_section("Install"))
    # The first rule that fits wins, so what shuts the rest out comes last.
    assert rules[-1] == "disable plexguard-*"


@NEEDS_ANALYZE
def test_systemd_reads_the_units_without_a_word():
    assert verify_units.verify({}) == []


@NEEDS_ANALYZE
def test_systemd_reads_the_generated_drop_ins_without_a_word():
    drop_ins = verify_units.make_drop_ins()
    assert len(drop_ins) >= 6
    assert verify_units.verify(drop_ins) == []


@NEEDS_ANALYZE
def test_verification_notices_a_mistake():
    found = verify_units.verify({"plexguard-discover.service.d/50-test.conf": "[Service]\nProtectHomes=yes\n"})
    assert len(found) == 1 and "ProtectHomes" in found[0]


@NEEDS_ANALYZE
@EACH_SERVICE
def test_sandbox_scores(unit):
    assert round(10 * generate.find_exposure(unit)) <= EXPOSED.get(unit.name, MOST_EXPOSED)
