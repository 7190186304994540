"""One name, one place: a program is called the same everywhere."""

import tomllib
from importlib.util import find_spec

import pytest

from plexguard.cloud_run.life.chain import PHASES
from plexguard.core import suite
from plexguard.core.suite import PROGRAMS, Program
from tests.static.tree import COMPLETIONS, MAN, ROOT, command_of, pages, services, units

EACH = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
# Units that act for a program have a stem of their own and call that program's command.
ACTS_FOR = {
    "plexguard-alert": "plexguard-notify",
    **{f"plexguard-cloud-{what}": "plexguard-cloud-run" for what in (*PHASES, "apply", "hold", "reaper", "resume")},
    "plexguard-mail": "plexguard-notify",
    "plexguard-perms-guard": "plexguard-perms-audit",
    "plexguard-perms-request": "plexguard-perms-audit",
    "plexguard-plex-restart": "plexguard-plex-probe",
    "plexguard-trash": "plexguard-rclone-watchdog",
    "plexguard-rclone": "plexguard-rclone-watchdog",
    "plexguard-rclone-cover": "plexguard-rclone-watchdog",
    "plexguard-rclone-inside": "plexguard-rclone-watchdog",
    "plexguard-reboot": "plexguard-net-recover",
}
# Folders of state that several units write to.
SHARED = {"plexguard-rclone-watchdog": ("plex-hold",), "plexguard-cloud-apply": ("db-export",)}


def owner_of(stem: str) -> Program | None:
    """Return the program that a unit belongs to: the longest command that its stem begins with."""
    fitting = [p for p in PROGRAMS if ACTS_FOR.get(stem, stem) == p.command or stem.startswith(p.command + "-")]
    return max(fitting, key=lambda program: len(program.command), default=None)


def scripts() -> dict[str, str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]


def test_commands_of_pyproject_are_the_programs_of_the_suite():
    assert scripts() == {program.command: f"{program.package}.__main__:main" for program in PROGRAMS}


@EACH
def test_package_bears_the_name_of_its_program(program):
    folder = ROOT / "plexguard" / program.name.replace("-", "_")
    assert (folder / "__init__.py").read_text(encoding="utf-8").startswith(f'"""{program.command}')
    assert (folder / "__main__.py").exists()


@EACH
def test_version_names_the_program(program, capsys):
    assert command_of(program).main(["--version"], standalone_mode=False) in (0, None)
    assert capsys.readouterr().out.startswith(f"{program.command} ")


@EACH
def test_page_bears_the_name_of_its_program(program):
    assert (MAN / f"{program.command}.8").exists()


@EACH
def test_completion_bears_the_name_of_its_program(program):
    assert (COMPLETIONS / program.command).exists()


@EACH
def test_section_bears_the_name_of_its_program(program):
    assert program.name in suite.section_names()
    place = f"{program.package}.config"
    if find_spec(place) is not None:
        assert program.name == __import__(place, fromlist=["Config"]).Config.SECTION


@EACH
def test_unit_tests_lie_where_the_program_does(program):
    assert (ROOT / "tests/unit" / program.name.replace("-", "_")).is_dir()


@EACH
def test_program_has_units_of_its_name(program):
    stems = {unit.stem for unit in units()}
    # What begins a run has the name; until there is one, what ends it has.
    assert program.command in stems or [stem for stem in stems if ACTS_FOR.get(stem) == program.command]


@pytest.mark.parametrize("unit", units(), ids=lambda unit: unit.name)
def test_every_unit_belongs_to_a_program(unit):
    assert unit.name == "plexguard.target" or owner_of(unit.stem) is not None


@pytest.mark.parametrize("unit", services(), ids=lambda unit: unit.name)
def test_service_calls_its_own_program(unit):
    owner = owner_of(unit.stem)
    assert owner is not None
    assert (unit.value("Service", "ExecStart") or "").split()[0] == f"/usr/bin/{owner.command}"


@pytest.mark.parametrize("unit", services(), ids=lambda unit: unit.name)
def test_state_lies_in_a_folder_of_the_name(unit):
    allowed = {unit.stem.removeprefix("plexguard-"), owner_of(unit.stem).name, *SHARED.get(unit.stem, ())}
    for state in (unit.value("Service", "StateDirectory") or "").split():
        assert state.startswith("plexguard/")
        # An instance of a template may have a folder of its own.
        assert state.removeprefix("plexguard/").removesuffix("/%i" if "@" in unit.name else "") in allowed


def test_nothing_is_left_over_from_a_program_that_is_gone():
    commands = {program.command for program in PROGRAMS}
    assert {file.name for file in COMPLETIONS.iterdir()} == commands
    assert {file.stem for file in pages() if file.suffix == ".8"} == commands
