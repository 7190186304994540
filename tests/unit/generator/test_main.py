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


def run(
    folder: Path, text: str, *, host: FakeHost | None = None, folders: tuple[str, ...] = (), journal: FakeJournal | None = None
) -> dict[str, str]:
    """Generate; return what was written by "unit.d/file", without the line that says who made it."""
    (folder / "plexguard.toml").write_text(text)
    found = folder / "plex.json"
    record = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", folders=folders)
    StateFile(found, FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(record)
    out = folder / "out"
    out.mkdir()
    generate(
        out,
        config_path=folder / "plexguard.toml",
        found_file=found,
        host=host or FakeHost({"systemd-analyze": GOOD}),
        journal=journal or FakeJournal(),
    )
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
    ("text", "reason"),
    [
        ('[plex-probe]\ninterval = "soon"\n', "[plex-probe] interval"),
        ("[plex-probe\n", "is not TOML"),
        ('[perms-audit]\nroots = ["/srv"]\ncolour = "red"\n', "[perms-audit] colour"),
    ],
    ids=["a bad value", "no TOML", "an unknown option"],
)
def test_a_bad_file_makes_nothing_at_all_and_the_reason_is_told(tmp_path: Path, text: str, reason: str) -> None:
    journal = FakeJournal()

    assert run(tmp_path, text, journal=journal) == {}

    assert reason in str(journal.values("config.not-applied")["mistake"])


def test_every_mistake_is_told(tmp_path: Path) -> None:
    journal = FakeJournal()

    run(tmp_path, '[plex-probe]\ninterval = "soon"\nlooks = 99\n[perms-audit]\nroots = ["media"]\n', journal=journal)

    assert journal.names == ["config.not-applied"] * 3


def test_one_bad_calendar_makes_nothing_at_all_and_is_told(tmp_path: Path) -> None:
    host, journal = FakeHost({"systemd-analyze": BAD}), FakeJournal()

    made = run(tmp_path, '[perms-audit]\nroots = ["/srv/media"]\nfull_calendar = "sometimes"\n', host=host, journal=journal)

    assert made == {}
    assert "sometimes" in str(journal.values("config.not-applied")["mistake"])


def test_a_state_file_that_is_torn_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "plex.json").write_text('{"schema": 1, "serv')
    (tmp_path / "plexguard.toml").write_text('[plex-probe]\ninterval = "1min"\n')
    (tmp_path / "out").mkdir()
    journal = FakeJournal()

    generate(
        tmp_path / "out",
        config_path=tmp_path / "plexguard.toml",
        found_file=tmp_path / "plex.json",
        host=FakeHost(),
        journal=journal,
    )

    assert [file.name for file in (tmp_path / "out").iterdir()] == ["plexguard-plex-probe.timer.d"]
    assert journal.names == ["state.set-aside"]


@pytest.mark.parametrize("fault", [CommandMissing("no systemd-analyze"), CommandTimeout("it hangs")], ids=["missing", "hangs"])
def test_a_calendar_that_cannot_be_judged_leaves_the_shipped_units_as_they_are(tmp_path: Path, fault: Exception) -> None:
    host, journal = FakeHost({"systemd-analyze": fault}), FakeJournal()

    made = run(tmp_path, '[perms-audit]\nroots = ["/srv"]\nfull_calendar = "Sun 03:00"\n', host=host, journal=journal)

    assert made == {}
    assert str(fault) in str(journal.values("config.not-applied")["mistake"])


def test_even_a_bug_does_not_fail_a_boot(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ZeroDivisionError("our bug")

    never_fail(fail)

    assert "ZeroDivisionError: our bug" in capfd.readouterr().err
