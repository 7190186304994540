"""The generator on real folders, judged by systemd itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from plexguard.core.found import SCHEMA, FoundPlex, Server
from plexguard.core.host import LocalHost
from plexguard.core.state import StateFile
from plexguard.generator.__main__ import generate, never_fail
from tests.fakes.ports import FakeJournal

REPOSITORY = Path(__file__).parents[3]


def run(folder: Path, text: str, journal: FakeJournal | None = None) -> dict[str, str]:
    """Generate with the real systemd-analyze; return what was written by "unit.d/file"."""
    (folder / "plexguard.toml").write_text(text)
    record = FoundPlex(server=Server.UNIT, name="plexmediaserver.service")
    StateFile(folder / "plex.json", FoundPlex, schema=SCHEMA, journal=FakeJournal()).save(record)
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    generate(
        out,
        config_path=folder / "plexguard.toml",
        found_file=folder / "plex.json",
        host=LocalHost(),
        journal=journal or FakeJournal(),
    )
    return {str(file.relative_to(out)): file.read_text(encoding="utf-8") for file in out.rglob("*") if file.is_file()}


EVERYTHING = """
[perms-audit]
roots = ["/srv/My Films", "/srv/100%", "/srv/Séries", '/srv/a"b', '/srv/a\\b', "/srv/$HOME ${x}"]
interval = "1h 30min"
full_calendar = "Mon..Fri *-*-* 03:15:00 America/New_York"
[plex-probe]
interval = "45s"
[log-watch]
proxy_unit = ""
"""


def test_every_option_that_only_a_unit_can_hold_becomes_a_drop_in(tmp_path: Path) -> None:
    assert set(run(tmp_path, EVERYTHING)) == {
        "plexguard-perms-audit.service.d/50-roots.conf",
        "plexguard-perms-audit-full.service.d/50-roots.conf",
        "plexguard-perms-audit.timer.d/50-interval.conf",
        "plexguard-perms-audit-full.timer.d/50-calendar.conf",
        "plexguard-perms-guard.service.d/50-roots.conf",
        "plexguard-perms-request.service.d/50-roots.conf",
        "plexguard-log-watch.service.d/50-plex.conf",
        "plexguard-plex-probe.timer.d/50-interval.conf",
    }


def test_the_same_configuration_gives_the_same_files(tmp_path: Path) -> None:
    assert run(tmp_path, EVERYTHING) == run(tmp_path, EVERYTHING)


def test_every_drop_in_says_who_made_it_from_what(tmp_path: Path) -> None:
    for text in run(tmp_path, EVERYTHING).values():
        first = text.splitlines()[0]
        assert first.startswith("# ")
        assert "plexguard.toml" in first


def test_systemd_takes_every_line_of_every_drop_in(tmp_path: Path) -> None:
    names = run(tmp_path, EVERYTHING)
    units = sorted({name.partition(".d/")[0] for name in names})

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *(str(REPOSITORY / "units" / unit) for unit in units)],
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}/out:{REPOSITORY}/units:"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert [line for line in done.stderr.splitlines() if "50-" in line] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[perms-audit]\nroots = ["/srv"]\nfull_calendar = "sometimes"\n', "no calendar expression"),
        ('[perms-audit]\nroots = ["/srv"]\nfull_calendar = "*-*-* 04:00 Atlantis/Capital"\n', "no calendar expression"),
        ('[perms-audit]\nroots = ["/srv"]\n[plex-probe]\ninterval = "soon"\n', "interval"),
        ('[perms-audit]\nroots = ["/srv"\n', "TOML"),
    ],
    ids=["no calendar", "no time zone", "a bad value", "no TOML"],
)
def test_with_a_mistake_nothing_is_written_and_the_reason_is_told(tmp_path: Path, text: str, words: str) -> None:
    journal = FakeJournal()

    assert run(tmp_path, text, journal) == {}

    assert words in str(journal.values("config.not-applied")["mistake"])


def test_it_is_a_program_whose_exit_code_is_0_whatever_it_is_given(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for arguments in ([], [str(tmp_path)], [str(tmp_path), str(tmp_path), str(tmp_path)], [str(blocked)]):
        done = subprocess.run(
            [sys.executable, "-m", "plexguard.generator", *arguments], cwd=REPOSITORY, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0


def test_a_folder_that_cannot_be_written_to_fails_no_boot(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plexguard.toml").write_text('[plex-probe]\ninterval = "45s"\n')
    (tmp_path / "file").write_text("")

    never_fail(
        lambda: generate(
            tmp_path / "file",
            config_path=tmp_path / "plexguard.toml",
            found_file=tmp_path / "plex.json",
            host=LocalHost(),
            journal=FakeJournal(),
        )
    )

    assert "plexguard-generator" in capfd.readouterr().err
