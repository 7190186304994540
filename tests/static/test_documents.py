"""README and CONTRIBUTING agree with the tree, and no file names what belongs to one machine only."""

import re
import string

import pytest

from plexguard.core import config, suite
from tests.static.tree import COMMANDS, MAN, ROOT, UnitFile, files, page_section, page_text, pages, services, units

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Written in pieces, so that this file passes its own test.
_HOSTS = ["py" + "pi.org", "python" + "hosted.org", "deb." + "debian.org", "npmjs" + ".org", "docker" + ".io/", "ghcr" + ".io"]
_MACHINE_PATHS = ["/wo" + "rk/"]


def message_pattern(template: str) -> re.Pattern[str]:
    """Return what the first line of an event's message looks like with any values."""
    parts = string.Formatter().parse(template.splitlines()[0])
    return re.compile("".join(re.escape(text) + (".*" if name else "") for text, name, _, _ in parts))


def transcript_lines() -> list[tuple[str, str]]:
    """Return who says what in the README's transcripts."""
    return re.findall(r"^\w{3} \d\d \d\d:\d\d:\d\d \w+ ([\w-]+)\[\d+\]: (.+)$", README, re.MULTILINE)


def test_readme_shows_transcripts():
    assert len(transcript_lines()) >= 10


@pytest.mark.parametrize(("who", "text"), [line for line in transcript_lines() if line[0] != "systemd"])
def test_transcript_says_what_the_events_say(who, text):
    assert who in COMMANDS
    areas = {
        "plexguard-perms-audit": ("perms.",),
        "plexguard-plex-probe": ("plex.",),
        "plexguard-discover": ("discover.",),
        "plexguard-rclone-watchdog": ("mount.", "plex."),
    }[who]
    said = [event for event in suite.events() if message_pattern(event.message).fullmatch(text)]
    assert [event for event in said if event.name.startswith(areas)]


@pytest.mark.parametrize("text", [text for who, text in transcript_lines() if who == "systemd"])
def test_transcript_names_units_as_they_are_described(text):
    if re.fullmatch(r"\S+\.service: (?:Deactivated successfully\.|Main process exited, .+)", text):
        return
    found = re.fullmatch(r"(Starting|Started|Finished) (\S+) - (.+?)\.+", text)
    assert found is not None
    name, at, instance = found[2].removesuffix(".service").partition("@")
    described = {unit.name: unit.value("Unit", "Description") for unit in services()}[f"{name}{at}.service"]
    assert described.replace("%i", instance) == found[3]


def test_readme_has_a_table_of_all_units():
    rows = re.findall(r"^\| `([\w@.-]+)` \|(.+)\|(.+)\| `man ([\w-]+)` \|$", README, re.MULTILINE)
    assert sorted(row[0] for row in rows) == sorted(unit.name for unit in units())
    documentation = {unit.name: unit.value("Unit", "Documentation") for unit in units()}
    for name, when, what, page in rows:
        assert when.strip() and what.strip()
        assert documentation[name].startswith(f"man:{page}(")


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_make_targets_that_are_named_exist(text):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z]+)\b(?=`|\n| +#)", text)) <= targets


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_files_that_are_named_exist(text):
    for name in re.findall(r"`((?:plexguard|units|packaging|tests|debian)/[\w./-]*)`", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_to_files_of_the_tree(text):
    headings = {"#" + title.lower().replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert target in headings or (ROOT / target).exists(), target


@pytest.mark.parametrize("block", re.findall(r"^```toml\n(.+?)^```$", README, re.MULTILINE | re.DOTALL))
def test_configuration_of_the_readme_is_valid(block, tmp_path):
    file = tmp_path / "plexguard.toml"
    file.write_text(block, encoding="utf-8")
    settings = config.read(file, {})
    for section in suite.sections():
        settings.take(section)
    settings.check(suite.section_names())


def test_no_file_names_a_registry_or_a_folder_of_one_machine():
    found = []
    for file in files():
        text = file.read_bytes().decode("utf-8", "replace")
        found += [f"{file.relative_to(ROOT)}: {word}" for word in (*_HOSTS, *_MACHINE_PATHS) if word in text]
    assert found == []


def test_every_text_file_ends_its_last_line():
    ends = {
        file: file.read_bytes()[-1:] for file in files() if file.suffix in (".py", ".md", ".toml", ".service", ".timer", ".conf")
    }
    assert [str(file) for file, end in ends.items() if end not in (b"\n", b"")] == []


def times_of(unit: UnitFile) -> list[str]:
    """Return the times of a timer as the tables say them: "30 min", "05:30"."""
    values = [*unit.values("Timer", "OnBootSec"), *unit.values("Timer", "OnUnitInactiveSec")]
    spans = [" ".join(re.fullmatch(r"(\d+)(s|min|h)", value).groups()) for value in values]
    return spans + [time for value in unit.values("Timer", "OnCalendar") for time in calendar_times(value)]


def calendar_times(expression: str) -> list[str]:
    """Return the first time of a daily calendar expression, and its zone where it has one: "02:00", "America/New_York"."""
    time, *zone = expression.removeprefix("*-*-* ").split()
    return [re.sub(r"^(\d\d)(?:\.\.\d\d)?:(\d\d)(?::00)?$", r"\1:\2", time), *zone]


@pytest.mark.parametrize("unit", [u for u in units() if u.path.suffix == ".timer"], ids=lambda unit: unit.name)
def test_tables_tell_the_times_of_the_timers(unit):
    in_readme = re.search(rf"^\| `{re.escape(unit.name)}` \|(.+?)\|", README, re.MULTILINE)
    in_page = re.search(rf"^{re.escape(unit.name)}\tT{{\n(.+)\nT}}", page_section(MAN / "plexguard.7", "UNITS"), re.MULTILINE)
    assert times_of(unit)
    for table in (in_readme, in_page):
        assert table is not None
        assert [time for time in times_of(unit) if time not in table[1]] == []


@pytest.mark.parametrize("text", [README, *map(page_text, pages())], ids=["README", *(page.name for page in pages())])
def test_patterns_of_units_match_whole_names(text):
    """systemctl(1) and journalctl(1) add ".service" to a name, and not to a pattern: "plexguard-x*@media" matches nothing."""
    patterns = re.findall(r"'(plexguard[\w@.-]*\*[\w@.*-]*)'", text)
    assert [pattern for pattern in patterns if not pattern.endswith(("*", ".service", ".timer"))] == []
