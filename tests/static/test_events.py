"""Every event is unique, whole, explained, and sends people to commands that exist."""

import re
import shlex
import textwrap
from fnmatch import fnmatch
from importlib import import_module

import pytest

from plexguard.core import suite
from plexguard.core.events import Event, FilePath, Priority, template_fields
from plexguard.core.suite import PROGRAMS
from tests.static.tree import (
    COMMANDS,
    MAN,
    PACKAGE,
    ROOT,
    UNITS,
    command_of,
    commands_below,
    flags_of,
    page_file,
    page_section,
    services,
)

EVENTS = suite.events()
EACH = pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
# What a runbook may send people to beside the suite's own commands; all in Debian's base, but docker where Plex runs in it.
SYSTEM_TOOLS = {
    *(
        "apt-get",
        "cat",
        "chmod",
        "df",
        "docker",
        "dpkg",
        "editor",
        "findmnt",
        "grep",
        "install",
        "ip",
        "journalctl",
        "less",
        "ls",
        "namei",
    ),
    *("ps", "rm", "ss", "systemctl", "systemd-cgtop", "systemd-inhibit", "systemd-tty-ask-password-agent"),
}
# Units that are not ours.
FOREIGN_UNITS = {"plexmediaserver.service", "docker.service"}


# What is over when it has happened, or what nobody can tell the end of: with the reason. All other problems need a recovery.
ENDLESS = {
    "program.failed": "its next run tells nothing of itself; that a unit has failed is known to the manager",
    "program.bug": "as program.failed",
    "cloud.plex-left": "the run is over, and nobody looks at its machine any more",
    "config.not-applied": "it is told at each reload, by who can remember nothing",
    "state.set-aside": "it is begun anew at once",
    "reboot.rebooting": "reboot.done is told after it",
    "perms.found": "a dry run keeps nothing",
    "perms.one-cause": "its files are repaired; that the program is mended nobody sees",
    "perms.restart-asked": "plex.restarted or plex.restart-refused follows",
    "perms.request-refused": "a request is answered and over",
    "perms.not-recorded": "the next audit tries what is on the record",
    "logs.unsettled": "nobody can tell, and the path is let go",
    "logs.mount-dead": "a log tells of a mount that is dead, and never of one that lives",
    "logs.overflow": "they are counted and gone",
    "notify.event-rejected": "it was set aside",
    "notify.dropped": "they are counted and gone",
    "notify.journal-gap": "what the journal has lost does not come back",
    "proxy.refused": "it is told at each attempt to take it, by who remembers nothing",
    "trash.unlisted": "what is gone is gone",
    "trash.switched-on": "it was switched off again",
    "unit.failed": "how a unit is doing now is known to the manager",
}


def parts_of(event: Event) -> tuple[str, str, str, str]:
    return event.meaning, event.decided, event.did, event.action


def commands_in(text: str) -> list[str]:
    """Return the indented lines of a part of a runbook: its commands."""
    return [line.strip() for line in textwrap.dedent(text).strip().splitlines() if line.startswith(" ")]


def all_commands(event: Event) -> list[str]:
    return [command for part in parts_of(event) for command in commands_in(part)]


def find_event(name: str) -> Event | None:
    return next((event for event in EVENTS if event.name == name), None)


def words_of(command: str) -> list[str]:
    return shlex.split(command.replace("{{", "{").replace("}}", "}"))


def test_names_are_unique():
    assert len({event.name for event in EVENTS}) == len(EVENTS)


def test_message_ids_are_unique():
    assert len({event.message_id for event in EVENTS}) == len(EVENTS)


def test_every_module_of_events_is_registered():
    files = [path.relative_to(ROOT).with_suffix("") for path in PACKAGE.glob("**/events.py")]
    holders = [import_module(".".join(file.parts)) for file in files]
    assert {value.name for holder in holders for value in vars(holder).values() if isinstance(value, Event)} <= {
        e.name for e in EVENTS
    }


@EACH
def test_message_id_is_one(event):
    assert re.fullmatch(r"[0-9a-f]{32}", event.message_id)
    # A random UUID, as `systemd-id128 new` makes them: of version 4.
    assert event.message_id[12] == "4"


@EACH
def test_name_is_area_and_what(event):
    assert re.fullmatch(r"[a-z]+\.[a-z]+(-[a-z]+)*", event.name)


@EACH
def test_templates_use_declared_fields_only(event):
    for template in (event.message, event.subject, *parts_of(event)):
        assert template_fields(template) <= set(event.fields) | {
            f"{n}_quoted" for n, kind in event.fields.items() if kind is FilePath
        }


@EACH
def test_every_field_has_a_name_that_the_journal_takes(event):
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{0,40}", name) for name in event.fields)
    # PLEXGUARD_EVENT= is the event's own name.
    assert "event" not in event.fields


@EACH
def test_event_has_all_parts_of_its_runbook(event):
    assert all(part.strip() for part in parts_of(event))
    assert len(event.subject) <= 80 and "\n" not in event.subject


@EACH
def test_each_part_of_the_runbook_begins_with_a_sentence(event):
    # It stands behind its lead; a line that is further in than the others is a command.
    for part in parts_of(event):
        assert not textwrap.dedent(part).strip("\n").startswith(" "), part


@EACH
def test_who_reads_it_is_told_a_command(event):
    assert commands_in(event.action)


@EACH
def test_runbook_fits_a_terminal(event):
    _, _, body = event.catalog_entry().partition("\n\n")
    # A value is more like its name in length than like @PLEXGUARD_NAME@.
    for line in re.sub(r"@PLEXGUARD_(\w+)@", r"{\1}", body).splitlines():
        assert len(line) <= 72 or line.startswith(" ") or " " not in line, line


@EACH
def test_what_it_is_about_are_fields(event):
    assert set(event.about) <= set(event.fields)
    assert len(set(event.about)) == len(event.about)


@EACH
def test_what_it_ends_are_problems_about_the_same_thing(event):
    for name in event.ends:
        problem = find_event(name)
        assert problem is not None and problem is not event, name
        assert problem.about == event.about, name
        assert [problem.fields[field] for field in problem.about] == [event.fields[field] for field in event.about], name


@EACH
def test_what_ends_a_problem_is_none_itself(event):
    assert not event.ends or event.priority >= Priority.NOTICE


@EACH
def test_a_problem_has_an_end_or_a_reason_why_not(event):
    is_ended = any(event.name in other.ends for other in EVENTS)
    assert event.priority > Priority.WARNING or is_ended is not (event.name in ENDLESS)


def test_only_problems_need_a_reason_for_having_no_end():
    assert set(ENDLESS) <= {event.name for event in EVENTS if event.priority <= Priority.WARNING}


@EACH
def test_page_exists_and_lists_the_event(event):
    file = page_file(event.page)
    assert file.exists()
    assert re.search(rf"^\.B {re.escape(event.name)}$", page_section(file, "EVENTS"), re.MULTILINE)


def test_pages_list_no_event_that_is_gone():
    listed = {name for file in MAN.iterdir() for name in re.findall(r"^\.B ([a-z]+\.[a-z-]+)$", page_section(file, "EVENTS"), re.M)}
    assert listed - {event.name for event in EVENTS} == set()


@EACH
def test_commands_of_the_runbook_exist(event):
    for command in all_commands(event):
        for part in re.split(r" \| | && ", command):
            first = part.split()[0]
            assert first in SYSTEM_TOOLS or first in COMMANDS or re.fullmatch(r"\{\w+\}", part), part


@EACH
def test_own_commands_are_called_as_they_can_be(event):
    for command in all_commands(event):
        words = [word for word in words_of(command) if "{" not in word]
        if words and words[0] in COMMANDS:
            below = commands_below(command_of(COMMANDS[words[0]]))
            sub = words[1] if len(words) > 1 and words[1] in below else ""
            assert sub or len(below) == 1 or not [word for word in words[1:2] if not word.startswith("-")], command
            assert {word for word in words if word.startswith("-")} <= flags_of(below[sub]) | flags_of(below[""]), command


@EACH
def test_units_of_the_runbook_exist(event):
    known = {file.name for file in UNITS.iterdir()} | FOREIGN_UNITS
    for command in all_commands(event):
        words = words_of(command)
        named = [words[n + 1] for n, word in enumerate(words[:-1]) if word == "-u" and words[0] == "journalctl"]
        if words[0] == "systemctl":
            named += [word for word in words[2:] if not word.startswith("-")]
        # {failed_unit} is a unit's whole name, which only the event knows.
        for name in (name for name in named if name != "{failed_unit}"):
            for program in PROGRAMS if "{program}" in name else PROGRAMS[:1]:
                pattern = name.replace("{program}", program.command)
                pattern = pattern if re.search(r"[*]|\.\w+$", pattern) else pattern + ".service"
                pattern = re.sub(r"@\{\w+\}", "@", pattern)  # an instance of a template
                # A program without units is only run by hand, and the pattern finds nothing: then there is nothing to find.
                assert "{program}" in name or [unit for unit in known if fnmatch(unit, pattern)], command


@EACH
def test_message_ids_of_the_runbook_are_its_own(event):
    assert set(re.findall(r"MESSAGE_ID=(\w+)", "".join(parts_of(event)))) <= {event.message_id}


@EACH
def test_state_of_the_runbook_lies_where_a_unit_keeps_it(event):
    folders = {folder for unit in services() for folder in (unit.value("Service", "StateDirectory") or "").split()}
    for folder in re.findall(r"/var/lib/(plexguard/[\w-]+)/", "".join(parts_of(event))):
        assert folder in folders


@EACH
def test_sample_of_the_event_renders(event):
    samples = {str: "text", int: 3, float: 1.5}
    values = {
        n: samples.get(kind) if kind in samples else kind("/srv/x" if issubclass(kind, str) else 0o644)
        for n, kind in event.fields.items()
    }
    assert event.render(values)
    assert event.journal_fields(values)["PLEXGUARD_EVENT"] == event.name
