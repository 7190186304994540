"""One list of what the suite is made of, and everything that follows from it."""

from importlib import import_module

import pytest

from plexguard.core import config, suite
from plexguard.core.errors import ConfigError
from plexguard.core.units import Site

PROGRAMS = pytest.mark.parametrize("program", suite.PROGRAMS, ids=lambda program: program.name)


@PROGRAMS
def test_program_has_a_package_of_its_name_with_a_main(program: suite.Program) -> None:
    assert program.command == f"plexguard-{program.name}"
    assert callable(import_module(f"{program.package}.__main__").main)


def test_sections_carry_the_names_of_their_programs() -> None:
    names = [section.SECTION for section in suite.sections()]

    assert names[0] == "plex"
    assert set(names) <= set(suite.section_names())
    assert len(set(names)) == len(names)


def test_events_have_ids_and_names_of_their_own() -> None:
    events = suite.events()

    assert len({event.message_id for event in events}) == len(events) > 10
    assert len({event.name for event in events}) == len(events)
    assert all(len(event.message_id) == 32 and set(event.message_id) <= set("0123456789abcdef") for event in events)


def test_configuration_that_says_nothing_needs_no_drop_ins() -> None:
    assert suite.drop_ins(config.Settings({}, [], {}), Site(folders=(), mounts=())) == {}


def test_mistakes_are_still_told_after_drop_ins_were_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("config") / "plexguard.toml"
    file.write_text('[perms-audit]\ninterval = "never"\n')
    settings = config.read(file, {})

    suite.drop_ins(settings, Site(folders=(), mounts=()))

    with pytest.raises(ConfigError, match="interval"):
        settings.check(suite.section_names())
