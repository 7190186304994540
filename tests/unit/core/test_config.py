"""Configuration: what is read, what wins, and what is told about mistakes."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from plexguard.core import config, suite
from plexguard.core.config import read, render_example
from plexguard.core.errors import ConfigError
from plexguard.core.events import Mode
from plexguard.core.options import (
    BOOLEAN,
    CONTAINER,
    FOLDERS,
    TEXT,
    choice,
    count,
    mode,
    option,
    options,
    span,
    tables,
)
from plexguard.core.spans import parse_span

# As the audit's folders have it: what would lock the owner out is no mode.
MODE = mode(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A section with an option of every kind that the suite uses."""

    SECTION: ClassVar[str] = "sample"

    title: str = option(TEXT, "none", "A title.")
    folders: tuple[str, ...] = option(FOLDERS, (), "Folders.", environment="MEDIA_ROOTS")
    recent: timedelta = option(span("1min", "365d", environment_unit="h"), timedelta(hours=4), "Recent.", environment="MTIME_HOURS")
    quiet: bool = option(BOOLEAN, False, "Quiet.", environment="DRY_RUN")
    workers: int = option(count(0, 64), 0, "Workers.", environment="WORKERS")
    mode: Mode = option(MODE, Mode(0o644), "A mode.")
    container: str = option(CONTAINER, "plex", "A container.", environment="PLEX_CONTAINER")
    server: str = option(choice("auto", "unit"), "auto", "A choice.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    SECTION: ClassVar[str] = "other"

    timeout: timedelta = option(span("1s", "1min"), timedelta(seconds=5), "A timeout.")


def load(path: Path, environment: Mapping[str, str] | None = None) -> Sample:
    settings = config.read(path, environment or {})
    sample = settings.take(Sample)
    settings.take(Other)
    settings.check(("sample", "other"))
    return sample


def mistakes(path: Path, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as told:
        load(path, environment)
    return told.value.mistakes


def write(folder: Path, text: str | bytes, name: str = "plexguard.toml") -> Path:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return file


def write_drop_in(folder: Path, name: str, text: str | bytes) -> None:
    write(folder, text, f"plexguard.toml.d/{name}")


# -- files and who wins -----------------------------------------------------------------------------------------------


def test_empty_file_is_a_working_configuration(tmp_path: Path) -> None:
    assert load(write(tmp_path, "")) == Sample()


def test_missing_default_file_is_a_working_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "plexguard.toml"
    monkeypatch.setattr(config, "DEFAULT_PATH", missing)

    assert load(missing) == Sample()


def test_drop_ins_count_even_where_the_default_file_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "plexguard.toml")
    write_drop_in(tmp_path, "10-a.toml", "[sample]\nworkers = 3\n")

    assert load(tmp_path / "plexguard.toml").workers == 3


def test_missing_file_that_was_asked_for_is_a_mistake(tmp_path: Path) -> None:
    missing = tmp_path / "mine.toml"

    assert mistakes(missing) == (f"{missing}: there is no such file",)


def test_every_value_of_a_full_file_arrives_typed(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        """
        [sample]
        title = "Ünïcode"
        folders = ["/srv/media", "//srv//TV Shows/"]
        recent = "1d 2h"
        quiet = true
        workers = 64
        mode = "640"
        container = "plex-1"
        server = "unit"
        [other]
        timeout = 7
        """,
    )

    assert load(file) == Sample(
        title="Ünïcode",
        folders=("/srv/media", "/srv/TV Shows"),
        recent=timedelta(hours=26),
        quiet=True,
        workers=64,
        mode=Mode(0o640),
        container="plex-1",
        server="unit",
    )


def test_later_drop_in_wins_key_by_key(tmp_path: Path) -> None:
    file = write(tmp_path, '[sample]\nworkers = 1\ntitle = "file"\ncontainer = "file"\n')
    write_drop_in(tmp_path, "20-b.toml", "[sample]\nworkers = 3\n")
    write_drop_in(tmp_path, "10-a.toml", '[sample]\nworkers = 2\ntitle = "first"\n')

    sample = load(file)

    assert (sample.workers, sample.title, sample.container) == (3, "first", "file")


def test_drop_ins_are_taken_in_the_order_of_their_names_and_not_of_their_numbers(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    write_drop_in(tmp_path, "9.toml", "[sample]\nworkers = 9\n")
    write_drop_in(tmp_path, "10.toml", "[sample]\nworkers = 10\n")

    assert load(file).workers == 9


@pytest.mark.parametrize("name", ["note.txt", "old.toml.bak", ".toml", "x.TOML", "10-a.toml~"])
def test_only_toml_files_are_drop_ins(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, "")
    write_drop_in(tmp_path, name, "this is no TOML")

    assert load(file) == Sample()


def test_drop_in_that_repairs_a_wrong_value_makes_the_configuration_right(tmp_path: Path) -> None:
    file = write(tmp_path, "[sample]\nworkers = 1000\n")
    write_drop_in(tmp_path, "10.toml", "[sample]\nworkers = 4\n")

    assert load(file).workers == 4


def test_mistake_of_a_drop_in_names_the_drop_in(tmp_path: Path) -> None:
    file = write(tmp_path, "[sample]\nworkers = 1\n")
    write_drop_in(tmp_path, "10.toml", "[sample]\nworkers = -1\n")

    assert mistakes(file) == (f"{file}.d/10.toml: [sample] workers: found -1, allowed is a whole number from 0 to 64",)


# -- mistakes ---------------------------------------------------------------------------------------------------------


def test_load_tells_all_three_mistakes_at_once(tmp_path: Path) -> None:
    file = write(tmp_path, '[sample]\nmode = "999"\nfolders = ["media"]\n[other]\ntimeout = "2h"\n')

    assert mistakes(file) == (
        f'{file}: [other] timeout: found "2h", allowed is a time span from 1s to 1min, such as "1s"',
        f"{file}: [sample] folders: found ['media'], allowed is a list of absolute paths, such as [\"/srv/media\"]",
        f'{file}: [sample] mode: found "999", allowed is three or four octal digits, such as "0644", without set-id or sticky bits',
    )


def test_mistakes_of_files_values_and_sections_are_told_together(tmp_path: Path) -> None:
    file = write(tmp_path, "[sample]\nworkers = true\n[sampel]\nx = 1\n")
    write_drop_in(tmp_path, "10.toml", "[broken\n")
    write_drop_in(tmp_path, "20.toml", b"[sample]\ntitle = '\xff'\n")

    told = mistakes(file, {"DRY_RUN": "perhaps"})

    assert len(told) == 5
    assert [m for m in told if "10.toml: is not TOML" in m]
    assert f"{file}.d/20.toml: is not UTF-8 text" in told
    assert f"{file}: [sample] workers: found true, allowed is a whole number from 0 to 64" in told
    assert f'{file}: [sampel]: unknown section, did you mean "sample"?' in told
    assert 'environment: DRY_RUN: found "perhaps", allowed is true or false' in told


def test_unknown_option_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    file = write(tmp_path, "[other]\ntimeout_sec = 5\n")

    assert mistakes(file) == (f'{file}: [other] timeout_sec: unknown option, did you mean "timeout"?',)


def test_unknown_option_like_no_other_gets_no_suggestion(tmp_path: Path) -> None:
    file = write(tmp_path, "[other]\nxyzzy = 5\n")

    assert mistakes(file) == (f"{file}: [other] xyzzy: unknown option",)


def test_empty_unknown_section_is_a_mistake_too(tmp_path: Path) -> None:
    assert mistakes(write(tmp_path, "[othr]\n")) == ('plexguard.toml: [othr]: unknown section, did you mean "other"?',)


@pytest.mark.parametrize("text", ["workers = 3\n", "[[sample]]\nworkers = 3\n"], ids=["above", "array of tables"])
def test_value_outside_of_any_section_is_a_mistake(tmp_path: Path, text: str) -> None:
    (told,) = mistakes(write(tmp_path, text))

    assert told.endswith("outside of any section")


@pytest.mark.parametrize(
    "text",
    [
        "[sample\n",
        "[sample]\nworkers = \n",
        "[sample]\nmode = 0644\n",
        "[sample]\nworkers = 1\nworkers = 2\n",
        "[sample]\nworkers = " + "9" * 5000 + "\n",
        "[sample]\nfolders = " + "[" * 5000 + "]" * 5000 + "\n",
        "[sample]\ntitle = 'a\x00b'\n",
    ],
    ids=["header", "no value", "octal", "twice", "endless number", "deep", "NUL"],
)
def test_what_is_no_toml_is_one_mistake_and_no_traceback(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text)

    (told,) = mistakes(file)

    assert told.startswith(f"{file}: is not TOML: ")


def test_folder_in_place_of_the_file_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(tmp_path) == (f"{tmp_path}: cannot be read: Is a directory",)


def test_folder_among_the_drop_ins_is_a_mistake(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    (tmp_path / "plexguard.toml.d/10.toml").mkdir(parents=True)

    assert mistakes(file) == (f"{file}.d/10.toml: cannot be read: Is a directory",)


def test_file_in_place_of_the_folder_of_drop_ins_is_a_mistake(tmp_path: Path) -> None:
    file = write(tmp_path, "")
    write(tmp_path, "", "plexguard.toml.d")

    assert mistakes(file) == (f"{file}.d: cannot be read: Not a directory",)


def test_links_in_a_circle_are_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "loop.toml"
    file.symlink_to(file)

    assert f"{file}: cannot be read: Too many levels of symbolic links" in mistakes(file)


@pytest.mark.parametrize(
    "path", ["/", ".", "", "/" + "x" * 300, "/dev/null/x"], ids=["root", "here", "empty", "long", "below file"]
)
def test_path_that_can_be_no_file_is_a_mistake_and_no_traceback(path: str) -> None:
    assert mistakes(Path(path))


def test_mistake_is_one_printable_line_whatever_was_found(tmp_path: Path) -> None:
    file = write(tmp_path, '["a\\nb"]\nx = 1\n[sample]\ncontainer = "a\\nb\\u001b[31m"\n"odd\\nname" = 1\n')

    told = mistakes(file, {"MEDIA_ROOTS": "rel\udcff"})

    assert len(told) == 4
    assert all(mistake.isprintable() for mistake in told), told
    assert f'{file}: [sample] container: found "a\\nb\\x1b[31m", allowed is the name of a container' in told


def test_long_value_is_shown_cut(tmp_path: Path) -> None:
    (told,) = mistakes(write(tmp_path, f'[sample]\nserver = "{"x" * 5000}"\n'))

    assert "x" * 70 in told
    assert len(told) < 300


def test_number_with_more_digits_than_python_prints_is_a_mistake(tmp_path: Path) -> None:
    assert len(mistakes(write(tmp_path, "[sample]\nworkers = 0x" + "f" * 5000 + "\n"))) == 1


# -- the environment --------------------------------------------------------------------------------------------------


def test_environment_wins_over_file_and_drop_ins(tmp_path: Path) -> None:
    file = write(tmp_path, '[sample]\nfolders = ["/a"]\nrecent = "1h"\nquiet = false\ncontainer = "a"\n')
    write_drop_in(tmp_path, "10.toml", '[sample]\nfolders = ["/b"]\nrecent = "2h"\n')
    variables = {"MEDIA_ROOTS": "/srv/Films:/srv/TV Shows:", "MTIME_HOURS": "72", "DRY_RUN": "1", "PLEX_CONTAINER": "pms"}

    sample = load(file, variables)

    assert sample.folders == ("/srv/Films", "/srv/TV Shows")
    assert sample.recent == timedelta(hours=72)
    assert sample.quiet is True
    assert sample.container == "pms"


def test_empty_variable_is_none(tmp_path: Path) -> None:
    file = write(tmp_path, '[sample]\nfolders = ["/a"]\nrecent = "1h"\nquiet = true\n')

    sample = load(file, {"MEDIA_ROOTS": "", "MTIME_HOURS": "", "DRY_RUN": "", "PLEX_CONTAINER": ""})

    assert sample == Sample(folders=("/a",), recent=timedelta(hours=1), quiet=True)


@pytest.mark.parametrize(
    ("text", "meant"), [("1", True), ("true", True), ("YES", True), ("0", False), ("False", False), ("no", False)]
)
def test_dry_run_takes_the_words_of_the_shell(tmp_path: Path, text: str, meant: bool) -> None:
    assert load(write(tmp_path, "[sample]\nquiet = true\n"), {"DRY_RUN": text}).quiet is meant


@pytest.mark.parametrize(("text", "hours"), [("4", 4.0), ("1.5", 1.5), (" 72 ", 72.0), ("90min", 1.5), ("2d", 48.0)], ids=str)
def test_bare_number_of_mtime_hours_counts_hours_however_it_is_written(tmp_path: Path, text: str, hours: float) -> None:
    assert load(write(tmp_path, ""), {"MTIME_HOURS": text}).recent == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("MTIME_HOURS", "soon"),
        ("MTIME_HOURS", "-4"),
        ("MTIME_HOURS", "0"),
        ("MTIME_HOURS", "99999999999999999999"),
        ("MTIME_HOURS", "²"),
        ("DRY_RUN", "2"),
        ("DRY_RUN", "maybe"),
        ("MEDIA_ROOTS", "media"),
        ("MEDIA_ROOTS", "/srv/a:b"),
        ("MEDIA_ROOTS", "/srv/../etc"),
        ("PLEX_CONTAINER", "plex;reboot"),
        ("PLEX_CONTAINER", "--help"),
        ("WORKERS", "²"),
        ("WORKERS", "--5"),
        ("WORKERS", "1-2"),
        ("WORKERS", "9" * 5000),
        ("WORKERS", "many"),
    ],
    ids=lambda text: text[:20],
)
def test_wrong_variable_is_a_mistake_that_names_it(tmp_path: Path, variable: str, text: str) -> None:
    (told,) = mistakes(write(tmp_path, ""), {variable: text})

    assert told.startswith(f"environment: {variable}: found ")


def test_variable_of_no_option_is_not_looked_at(tmp_path: Path) -> None:
    assert load(write(tmp_path, ""), {"TITLE": "x", "title": "x"}) == Sample()


@pytest.mark.parametrize("edge", ["1min", "365d"])
def test_span_includes_its_bounds(tmp_path: Path, edge: str) -> None:
    assert load(write(tmp_path, f'[sample]\nrecent = "{edge}"\n')).recent == parse_span(edge)


@pytest.mark.parametrize("beyond", ["59s 999ms", "365d 1ms"])
def test_span_excludes_what_is_beyond_its_bounds(tmp_path: Path, beyond: str) -> None:
    assert len(mistakes(write(tmp_path, f'[sample]\nrecent = "{beyond}"\n'))) == 1


# -- the example file -------------------------------------------------------------------------------------------------


def test_example_without_its_comment_signs_is_the_defaults(tmp_path: Path) -> None:
    example = config.render_example(suite.sections())
    uncommented = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in example.splitlines()
    )
    file = write(tmp_path, uncommented)

    settings = config.read(file, {})
    taken = [settings.take(section) for section in suite.sections()]
    settings.check(suite.section_names())

    assert taken == [section() for section in suite.sections()]
    # And it says something about every option.
    tables = tomllib.loads(uncommented)
    assert {name: set(table) for name, table in tables.items()} == {s.SECTION: set(options(s)) for s in suite.sections()}


def test_example_as_it_is_sets_nothing(tmp_path: Path) -> None:
    tables = tomllib.loads(config.render_example(suite.sections()))

    assert all(table == {} for table in tables.values())


# -- things with names of their own -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    kind: str = option(choice("wood", "glass"), "wood", "What it is made of.")
    width: int = option(count(1, 9), 1, "How wide it is.")

    def find_mistakes(self) -> Iterator[str]:
        if self.kind == "glass" and self.width > 5:
            yield "width: glass is not made wider than 5"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    SECTION: ClassVar[str] = "house"
    floors: int = option(count(1, 9), 1, "How high it is.")
    door: dict[str, Door] = tables(Door, "A door.")


def load_house(folder: Path, **files: str) -> House:
    path = folder / "plexguard.toml"
    (folder / "plexguard.toml.d").mkdir(exist_ok=True)
    path.write_text("")
    for name, text in files.items():
        (folder / "plexguard.toml.d" / f"{name}.toml").write_text(text)
    settings = read(path, {})
    house = settings.take(House)
    settings.check(["house"])
    return house


def test_named_tables_are_merged_key_by_key(tmp_path: Path) -> None:
    house = load_house(
        tmp_path,
        a="[house]\nfloors = 2\n[house.door.front]\nwidth = 3\n[house.door.back]\n",
        b='[house.door.front]\nkind = "glass"',
    )

    assert house == House(floors=2, door={"front": Door(kind="glass", width=3), "back": Door()})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[house.door.front]\nwith = 3", '[house.door.front] with: unknown option, did you mean "width"?'),
        ("[house.door.front]\nwidth = 30", "[house.door.front] width: found 30, allowed is a whole number from 1 to 9"),
        ('[house.door.front]\nkind = "glass"\nwidth = 9', "[house.door.front] width: glass is not made wider than 5"),
        (
            '[house.door."Front door"]\nwidth = 1',
            '[house.door.Front door]: found the name "Front door", allowed are a-z, 0-9 and - in it',
        ),
        (
            "[house.door.front.lock]\nwidth = 1",
            '[house.door.front.lock]: found the name "front.lock", allowed are a-z, 0-9 and - in it',
        ),
        ("[house.dor.front]\nwidth = 1", "[house.dor.front]: unknown section"),
        ("[house.door]\nwidth = 1", "[house.door]: options without a name, write [house.door.NAME]"),
        ("[house.floors]\nx = 1", "[house] floors: found a table, allowed is a whole number from 1 to 9"),
        ("[hose.door.front]\nwidth = 1", '[hose]: unknown section, did you mean "house"?'),
    ],
)
def test_named_tables_tell_their_mistakes(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_house(tmp_path, a=text)

    assert [mistake.partition(": ")[2] for mistake in caught.value.mistakes if told in mistake] == [told]


def test_example_of_named_tables_is_commented_out(tmp_path: Path) -> None:
    example = render_example([House])

    assert load_house(tmp_path, a=example) == House()
    bare = re.sub(r"^# {0,2}(?=\[|\w+ =)", "", example, flags=re.MULTILINE).replace("NAME", "front")
    assert load_house(tmp_path, a=bare) == House(door={"front": Door()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    SECTION: ClassVar[str] = ""

    wait: timedelta = option(span("1s", "1h"), timedelta(minutes=1), "How long.")


def test_plain_file_has_no_sections(tmp_path):
    file = tmp_path / "delta.toml"
    file.write_text('wait = "90s"\n')

    settings = config.read_plain(file, tmp_path / "none")

    assert settings.take(Plain).wait == timedelta(seconds=90)
    settings.check()


def test_drop_ins_of_a_plain_file_win_key_by_key(tmp_path):
    (tmp_path / "delta.toml").write_text('wait = "90s"\n')
    (tmp_path / "d").mkdir()
    for name, text in (("20-b.toml", 'wait = "20s"\n'), ("10-a.toml", 'wait = "10s"\n'), ("30-c.txt", "no TOML")):
        (tmp_path / "d" / name).write_text(text)

    settings = config.read_plain(tmp_path / "delta.toml", tmp_path / "d")

    assert settings.take(Plain).wait == timedelta(seconds=20)
    settings.check()


def test_mistakes_of_a_plain_file_name_no_section(tmp_path):
    file = tmp_path / "delta.toml"
    file.write_text("wait = 0\nwaits = 1\n[more]\nx = 1\n")

    settings = config.read_plain(file, tmp_path / "none")
    settings.take(Plain)

    with pytest.raises(ConfigError) as caught:
        settings.check()
    assert caught.value.mistakes == (
        f"{file}: [more]: unknown section",
        f'{file}: wait: found 0, allowed is a time span from 1s to 1h, such as "1s"',
        f'{file}: waits: unknown option, did you mean "wait"?',
    )


def test_plain_file_that_is_not_there_is_a_mistake(tmp_path):
    settings = config.read_plain(tmp_path / "gone.toml", tmp_path / "none")
    settings.take(Plain)

    with pytest.raises(ConfigError, match=r"gone\.toml: there is no such file"):
        settings.check()
