"""The generator's inside: configuration and machine in, drop-ins out."""

from pathlib import Path

import pytest

from plexguard.core.found import SCHEMA, FoundPlex, Server
from plexguard.core.host import CommandMissing, CommandTimeout, Completed
from plexguard.core.state import StateFile
from plexguard.generator.__main__ import generate, never_fail
from tests.fakes.ports import FakeHost, FakeJournal

GOOD = Completed(code=0, stdout="", stderr="")
BAD = Completed(code=1, stdout="", stderr="Failed to parse calendar specification")


def run(folder: Path, text: str, *, host: FakeHost | None = None, folders: tuple[str, ...] = ()) -> dict[str, str]:
    """Generate; return what was written by "unit.d/file", without the line that says who made it."""
    (folder / "plexguard.toml").write_text(text)
    found = folder / "plex.json"
    record = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", folders=folders)
    StateFile(found, FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(record)
    out = folder / "out"
    out.mkdir()
    generate(out, config_path=folder / "plexguard.toml", found_file=found, host=host or FakeHost({"systemd-analyze": GOOD}))
    return {str(file.relative_to(out)): file.read_text().partition("\n")[2] for file in out.rglob("*.conf")}


def test_an_empty_file_makes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, "") == {}


def test_the_folders_that_plex_named_become_writable(tmp_path: Path) -> None:
    made = run(tmp_path, "", folders=("/srv/media",))

    assert made["plexguard-perms-audit.service.d/50-roots.conf"] == '[Service]\nReadWritePaths=-"/srv/media"\n'


def test_names_in_any_script_are_written(tmp_path: Path) -> None:
    made = run(tmp_path, "", folders=("/srv/Фильмы",))

    assert "/srv/Фильмы" in made["plexguard-perms-audit.service.d/50-roots.conf"]


@pytest.mark.parametrize(
    "text",
    ['[plex-probe]\ninterval = "soon"\n', "[plex-probe\n", '[perms-audit]\nroots = ["/srv"]\ncolour = "red"\n', "\udcff\udcfe"],
    ids=["a bad value", "no TOML", "an unknown option", "no UTF-8"],
)
def test_a_bad_file_makes_nothing_at_all_and_the_reason_is_told(
    tmp_path: Path, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plexguard.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "out").mkdir()

    generate(tmp_path / "out", config_path=tmp_path / "plexguard.toml", found_file=tmp_path / "none", host=FakeHost())

    assert list((tmp_path / "out").iterdir()) == []


def test_one_bad_calendar_makes_nothing_at_all(tmp_path: Path) -> None:
    host = FakeHost({"systemd-analyze": BAD})

    assert run(tmp_path, '[perms-audit]\nroots = ["/srv/media"]\nfull_calendar = "sometimes"\n', host=host) == {}


def test_a_state_file_that_is_torn_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "plex.json").write_text('{"schema": 1, "serv')
    (tmp_path / "plexguard.toml").write_text('[plex-probe]\ninterval = "1min"\n')
    (tmp_path / "out").mkdir()

    generate(tmp_path / "out", config_path=tmp_path / "plexguard.toml", found_file=tmp_path / "plex.json", host=FakeHost())

    assert [file.name for file in (tmp_path / "out").iterdir()] == ["plexguard-plex-probe.timer.d"]


@pytest.mark.parametrize("fault", [CommandMissing("no systemd-analyze"), CommandTimeout("hangs")], ids=["missing", "hangs"])
def test_a_calendar_that_cannot_be_judged_leaves_the_shipped_units_as_they_are(tmp_path: Path, fault: Exception) -> None:
    host = FakeHost({"systemd-analyze": fault})

    assert run(tmp_path, '[perms-audit]\nroots = ["/srv"]\nfull_calendar = "Sun 03:00"\n', host=host) == {}


def test_even_a_bug_does_not_fail_a_boot(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("our bug")

    never_fail(fail)

    assert "ZeroDivisionError: our bug" in capfd.readouterr().err
