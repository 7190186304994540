"""The pages say what the code does: options, defaults, files and formats are compared with it."""

import dataclasses
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.cloud_run.choosing.profiles import MONITORING
from plexguard.cloud_run.choosing.profiles import PROFILES as MACHINES
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.life.state import State, Step
from plexguard.cloud_run.reap.world import State as ReaperState
from plexguard.cloud_run.rent.lease import Lease
from plexguard.cloud_run.rent.money import Spent
from plexguard.cloud_run.rent.resources import Key
from plexguard.container_watch.observe import FoundContainer
from plexguard.core import suite
from plexguard.core.clock import Moment
from plexguard.core.found import FoundPlex, Mount
from plexguard.core.made import Made
from plexguard.core.options import Option, options
from plexguard.core.published import ChannelSeen, NotifySeen, ProxySeen, RebootSeen, SpeedDay
from plexguard.core.spans import parse_size, show_span
from plexguard.core.suite import PROGRAMS
from plexguard.log_watch.act import State as WatchState
from plexguard.log_watch.decide import Case
from plexguard.log_watch.follow import Place
from plexguard.net_recover.decide import State as NetState
from plexguard.net_recover.history import Record as NetRecord
from plexguard.net_recover.ladder import Problem as NetProblem
from plexguard.net_recover.reboot.decide import Budget as RebootBudget
from plexguard.net_recover.reboot.decide import Notice
from plexguard.net_recover.states import Verdict as NetVerdict
from plexguard.notify.deliver import RejectedEvent
from plexguard.notify.past import Past, Trouble, Window
from plexguard.notify.spool import Begin
from plexguard.notify.state import ChannelState, Outage
from plexguard.perms_audit.state import State as AuditState
from plexguard.plex_probe.decide import State as ProbeState
from plexguard.plex_probe.ladder import Problem
from plexguard.plex_probe.restart.decide import Budget
from plexguard.plex_probe.states import Verdict
from plexguard.rclone_watchdog.config import PROFILES
from plexguard.rclone_watchdog.config import Config as MountConfig
from plexguard.rclone_watchdog.decide import State as MountState
from plexguard.rclone_watchdog.inside.decide import Budget as InsideBudget
from plexguard.rclone_watchdog.inside.decide import InsideSeen
from plexguard.rclone_watchdog.ladder import Problem as MountProblem
from plexguard.rclone_watchdog.mounting.flags import FLAGS, OLDEST, show_version
from plexguard.rclone_watchdog.mounting.render import IDLE
from plexguard.rclone_watchdog.observe import Question
from plexguard.rclone_watchdog.protect.decide import Hold
from plexguard.rclone_watchdog.schedule import CACHE_S, PROCESS_S
from plexguard.rclone_watchdog.states import Verdict as MountVerdict
from plexguard.speed_test.decide import State as SpeedState
from plexguard.speed_test.result import Record, Result
from tests.static.tree import (
    MAN,
    all_commands,
    command_of,
    commands_below,
    flags_of,
    page_section,
    page_text,
    pages,
    plain,
    services,
    units,
)

EACH_PAGE = pytest.mark.parametrize("file", pages(), ids=lambda file: file.name)
EACH_PROGRAM = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
SECTIONS = {section.SECTION: section for section in suite.sections()}
CONFIGURATION = MAN / "plexguard.toml.5"
PROGRAM_SECTIONS = [
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "CONFIGURATION", "ENVIRONMENT", "EXIT STATUS", "EVENTS", "FILES", "EXAMPLES"),
    "SEE ALSO",
]
# Which records lie in the files that a page describes.
RECORDS = {
    "plexguard-cloud-run": (Lease, Key, State, Step, ReaperState, Spent, Moment),
    "plexguard-perms-audit": (AuditState,),
    "plexguard-plex-probe": (ProbeState, Problem, Budget, Moment),
    "plexguard-net-recover": (NetState, NetProblem, RebootBudget, RebootSeen, Notice, NetRecord, Moment),
    "plexguard-container-watch": (FoundContainer, Mount),
    "plexguard-log-watch": (WatchState, Place, Case, Moment),
    "plexguard-discover": (FoundPlex,),
    "plexguard-notify": (ChannelState, Past, Window, Trouble, Outage, NotifySeen, ChannelSeen, RejectedEvent, Begin, Moment),
    "plexguard-proxy": (ProxySeen, Moment),
    "plexguard-rclone-watchdog": (Hold, InsideSeen, InsideBudget, MountState, MountProblem, Made, Moment),
    "plexguard-speed-test": (SpeedState, SpeedDay, Record, Result, Moment),
}


def described_options(text: str) -> dict[str, tuple[str, str]]:
    """Return the options that a piece of a page describes: name to default and description."""
    items = re.split(r"^\.B (\w+) = (.+)\n", text, flags=re.MULTILINE)
    return {
        name: (default, re.split(r"^\.(?:TP|SH|PP)", body, maxsplit=1, flags=re.MULTILINE)[0])
        for name, default, body in zip(items[1::3], items[2::3], items[3::3], strict=True)
    }


def faults(described: dict[str, tuple[str, str]], declared: dict[str, tuple[Option, object]], *, whole: bool) -> list[str]:
    """Return where a description differs from the code. whole: every option must be described."""
    found = [f"{name}: no such option" for name in described.keys() - declared.keys()]
    if whole:
        found += [f"{name}: not described" for name in declared.keys() - described.keys()]
        found += ["not in the order of the code"] if list(described) != [n for n in declared if n in described] else []
    for name in described.keys() & declared.keys():
        (option, default), (shown, body) = declared[name], described[name]
        if shown != option.kind.show(default):
            found.append(f"{name}: default is {option.kind.show(default)}, shown is {shown}")
        bounds = re.search(r"from \S+ to [^\s,]+", option.kind.allowed)
        if bounds and bounds[0] not in body:
            found.append(f"{name}: allowed is {bounds[0]}")
        if whole and option.environment not in body:
            found.append(f"{name}: {option.environment} is not named")
    return sorted(found)


@EACH_PAGE
def test_page_is_clean_roff(file):
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(file)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
    assert done.stderr.decode() == ""


@EACH_PAGE
def test_page_has_its_name_and_place(file):
    title = re.search(r"^\.TH (\S+) (\d) \d{4}-\d\d-\d\d plexguard$", page_text(file), re.MULTILINE)
    assert title is not None
    assert f"{title[1].lower()}.{title[2]}" == file.name
    assert page_section(file, "NAME").startswith(f"{file.stem} - ")


@EACH_PAGE
def test_text_in_code_uses_ascii_quotes_and_dashes(file):
    text = file.read_text(encoding="utf-8")
    assert text.isascii()
    # A bare hyphen before an option is set as a hyphen, which cannot be copied into a shell.
    assert not re.search(r"(?<![\\\w-])--?[a-z]", re.sub(r"^'\\\" t\n|^\.TH.*$", "", text, flags=re.MULTILINE))


@EACH_PAGE
def test_pages_that_are_referred_to_exist(file):
    for name, number in re.findall(r"^\.BR (plexguard[\w.-]*) \((\d)\)", page_text(file), re.MULTILINE):
        assert (MAN / f"{name}.{number}").exists()


@EACH_PROGRAM
def test_page_of_a_program_has_the_sections_in_order(program):
    found = re.findall(r"^\.SH (.+)$", page_text(MAN / f"{program.command}.8"), re.MULTILINE)
    assert [title for title in found if title in PROGRAM_SECTIONS] == PROGRAM_SECTIONS
    assert set(found) - set(PROGRAM_SECTIONS) <= {"COMMANDS", "REMOTE MACHINES", "RUNS", "TROUBLESHOOTING"}


@EACH_PROGRAM
def test_page_has_every_option_of_the_command_line_and_no_other(program):
    below = commands_below(command_of(program))
    file = MAN / f"{program.command}.8"
    heads = re.findall(r"^\.TP\n\.B[RI]* (.+)$", page_section(file, "OPTIONS"), re.MULTILINE)
    shown = {flag for head in heads for flag in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", head)}
    assert shown == {flag for command in all_commands(command_of(program)) for flag in flags_of(command)}
    commands = page_section(file, "COMMANDS")
    assert set(re.findall(r"^\.TP\n\.B (.+)$", commands, re.MULTILINE)) == set(below) - {""}


@EACH_PROGRAM
def test_page_describes_its_section_as_it_is(program):
    described = described_options(page_section(MAN / f"{program.command}.8", "CONFIGURATION"))
    if program.name in SECTIONS and program.name == SECTIONS[program.name].SECTION:
        assert faults(described, options(SECTIONS[program.name]), whole=False) == []
        assert list(described) == list(options(SECTIONS[program.name]))
    else:
        assert faults(described, options(SECTIONS["plex"]), whole=False) == []


@pytest.mark.parametrize("name", SECTIONS)
def test_page_of_the_file_describes_every_section_as_it_is(name):
    described = described_options(page_section(CONFIGURATION, f"[{name.upper()}]"))
    assert faults(described, options(SECTIONS[name]), whole=True) == []


def test_page_of_the_file_has_no_section_that_is_gone():
    shown = re.findall(r"^\.SH \[(.+)\]$", page_text(CONFIGURATION), re.MULTILINE)
    assert [name.lower() for name in shown] == list(SECTIONS)


def test_wrong_default_in_a_page_is_noticed():
    text = (
        page_section(CONFIGURATION, "[PLEX-PROBE]").replace(".B looks = 3", ".B looks = 4").replace(".B timeout =", ".B timeouts =")
    )
    found = faults(described_options(text), options(SECTIONS["plex-probe"]), whole=True)
    assert {"looks: default is 3, shown is 4", "timeout: not described", "timeouts: no such option"} <= set(found)


def test_environment_variables_of_the_options_are_described():
    variables = {
        option.environment for section in SECTIONS.values() for option, _ in options(section).values() if option.environment
    }
    of_apply = {"PLEX_REMOTE_HOST", "PLEX_REMOTE_PATH"}
    assert variables == {"MEDIA_ROOTS", "MTIME_HOURS", "DRY_RUN", "PLEX_CONTAINER"} | of_apply
    for variable in variables:
        program = "cloud-run" if variable in of_apply else "perms-audit"
        assert variable in page_section(MAN / f"plexguard-{program}.8", "ENVIRONMENT")
        assert variable in page_section(CONFIGURATION, "DESCRIPTION")


@pytest.mark.parametrize("name", RECORDS)
def test_page_describes_every_key_of_its_state(name):
    words = set(re.findall(r"\w+", page_section(MAN / f"{name}.8", "FILES")))
    keys = {f.name for record in RECORDS[name] for f in dataclasses.fields(record)}
    assert keys | {"schema"} <= words


@pytest.mark.parametrize(
    ("name", "verdicts"), [("plex-probe", Verdict), ("net-recover", NetVerdict), ("rclone-watchdog", MountVerdict)]
)
def test_page_of_a_check_has_every_verdict(name, verdicts):
    table = page_section(MAN / f"plexguard-{name}.8", "DESCRIPTION").partition(".SS Verdicts")[2].partition(".TE")[0]
    assert re.findall(r"^([a-z-]+)\t", table, re.MULTILINE) == [verdict.value for verdict in verdicts]


def test_page_describes_the_file_of_a_run_as_it_is():
    section = page_section(MAN / "plexguard-cloud-run.8", "RUNS")
    assert faults(described_options(section.partition(".SS Instances")[0]), options(RunFile), whole=True) == []


def test_page_has_the_instances_and_the_monitoring():
    rows = {row[0]: row[1:] for row in table_of("Instances", page="plexguard-cloud-run.8", title="RUNS")}
    assert rows == {
        name: [
            one.type,
            ", ".join(one.others),
            f"{one.disk_bytes // 10**9} GB",
            f"{one.limits.memory_bytes >> 30}G / {one.limits.swap_bytes >> 30}G / {one.limits.cpus}",
        ]
        for name, one in MACHINES.items()
    }
    patience = {row[0]: row[1:] for row in table_of("Monitoring", page="plexguard-cloud-run.8", title="RUNS")}
    assert patience == {
        name: [show_span(one.interval), show_span(one.stall), f"{one.idle_percent} %", f"{one.limit.total_seconds() / 3600:.0f} h"]
        for name, one in MONITORING.items()
    }


def table_of(
    heading: str, number: int = 0, *, page: str = "plexguard-rclone-watchdog.8", title: str = "DESCRIPTION"
) -> list[list[str]]:
    """Return the rows of a table of a page, by default that of mounts, each as its cells; text blocks are one cell."""
    section = page_section(MAN / page, title).partition(f".SS {heading}\n")[2].partition("\n.SS ")[0]
    table = section.split(".TS\n")[number + 1].partition(".TE")[0]
    rows = plain(re.sub(r"T\{\n(.*?)\nT\}", lambda cell: cell[1].replace("\n", " "), table, flags=re.DOTALL)).splitlines()
    return [row.split("\t") for row in rows if "\t" in row][1:]


def test_page_has_every_flag_that_acts_on_a_mount_with_its_option_and_since_when():
    rows = table_of("Flags")
    assert [(flag, option) for flag, option, _ in rows] == [(flag.name, flag.option) for flag in FLAGS]
    newer = {flag.name: show_version(flag.since) for flag in FLAGS if flag.since > OLDEST}
    assert {flag: found[1] for flag, _, text in rows if (found := re.search(r"from (1\.\d+) on", text))} == newer


def test_page_has_every_flag_that_does_nothing_on_a_mount_with_the_reason():
    rows = dict(table_of("Flags", 1))
    del rows["--poll-interval"]
    assert rows == IDLE


def test_page_has_the_profiles():
    assert [row[0] for row in table_of("Profiles")] == list(PROFILES)
    for name, *values in table_of("Profiles"):
        profile = PROFILES[name]
        sizes = [parse_size(value) for value in values[:3]]
        assert (*sizes, int(values[3])) == (profile.cache_size, profile.buffer_size, profile.chunk_size, profile.transfers)
        assert (profile.read_ahead, profile.checkers) == (profile.buffer_size, 2 * profile.transfers)
        assert profile.dir_cache == timedelta(hours=72 if name == "standard" else 24)
    assert {(p.timeout, p.connect_timeout, p.retries) for p in PROFILES.values()} == {
        (timedelta(seconds=40), timedelta(seconds=10), 1)
    }


def test_page_has_every_rung_of_the_proof():
    rungs = {row[0]: row[2] for row in table_of("How it is proven")}
    assert rungs.keys() == {"kernel", *(question.value for question in Question)}
    by_itself = {"process": PROCESS_S, "cache": CACHE_S}
    assert {name: rungs[name] for name in by_itself} == {name: f"{seconds:.0f} s" for name, seconds in by_itself.items()}


def test_detection_times_are_those_of_the_defaults():
    config = MountConfig()
    backend_s, limit_s = config.backend_interval.total_seconds(), config.answer_limit.total_seconds()
    read_s, listing_s = config.read_interval.total_seconds(), config.listing_interval.total_seconds()
    shown = [row[2] for row in table_of("How soon a fault is known")]
    assert shown == [
        "1 s",
        f"{backend_s + limit_s:g} s",
        f"{backend_s + 1:g} s, {backend_s + 2.5:g} s",
        f"{backend_s + 2.5:g} s, {2 * listing_s / 60:g} min",
        f"{2 + limit_s:g} s, {read_s + limit_s:g} s",
        f"{CACHE_S + 1:g} s",
        f"{backend_s + 2 * limit_s:g} s",
    ]
    text = plain(" ".join(page_section(MAN / "plexguard-rclone-watchdog.8", "DESCRIPTION").split()))
    requests = 60 / backend_s + 60 / listing_s + 60 / read_s
    assert f"that is {requests:.0f} requests to the storage a minute by default" in text


def test_page_of_the_suite_has_every_unit():
    shown = re.findall(r"^(plexguard\S*\.\w+)\t", page_section(MAN / "plexguard.7", "UNITS"), re.MULTILINE)
    assert sorted(shown) == sorted(unit.name for unit in units())


@EACH_PROGRAM
def test_page_of_a_program_has_its_units_in_the_synopsis(program):
    synopsis = page_section(MAN / f"{program.command}.8", "SYNOPSIS")
    documented = {u.name for u in units() if u.value("Unit", "Documentation") == f"man:{program.command}(8)"}
    assert set(re.findall(r"plexguard[\w@-]*\.(?:service|timer|path|socket)", synopsis)) == documented


@EACH_PAGE
def test_state_lies_where_a_unit_keeps_it(file):
    folders = {
        folder for unit in services() for folder in (unit.value("Service", "StateDirectory") or "").replace("/%i", "").split()
    }
    for folder in re.findall(r"/var/lib/(plexguard/[\w-]+)", page_text(file)):
        assert folder in folders


@EACH_PAGE
def test_units_that_are_named_exist(file):
    named = re.findall(r"\bplexguard[\w-]*@?\.(?:service|timer|path|socket|target)", page_text(file))
    assert set(named) <= {unit.name for unit in units()}


def test_plain_text_of_roff():
    assert plain(r"\-\-dry\-run \(dqa\(dq \fBx\fR") == '--dry-run "a" x'


def test_no_page_is_empty():
    assert all(Path(file).stat().st_size > 1000 for file in pages())
