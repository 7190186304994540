"""What the commands of archives print, return, keep and tell."""

import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.core.program import run
from plexguard.db_export.__main__ import cli
from plexguard.db_export.archive.write import Wanted, export
from tests.fakes.libraries import make_plex
from tests.fakes.plex import database


@pytest.fixture
def closed_umask():
    """As the unit has it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


class Clock(SystemClock):
    """Some days ago."""

    def __init__(self, days: int) -> None:
        self._days = days

    def now(self):
        return super().now() - timedelta(days=self._days)


@pytest.fixture
def plex(tmp_path):
    return make_plex(tmp_path / "Plex Media Server", films=3, episodes=0, tracks=0)


@pytest.fixture
def call(tmp_path, plex, monkeypatch, capsys):
    """Run a command with a configuration of its own, and return its exit code and what it printed."""
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    config = tmp_path / "plexguard.toml"
    config.write_text(
        f'[db-export]\ndata = "{plex.folder}"\narchives = "{tmp_path}/archives"\nkeep_daily = 2\nkeep_weekly = 0\nkeep_monthly = 0\n'
    )

    def call(*arguments):
        code = run("db-export", cli, ["--config", str(config), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def damage(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(database.PAGE_BYTES)
        file.write(b"\xa5" * database.PAGE_BYTES * 30)


def state_of(tmp_path: Path) -> dict[str, object]:
    return json.loads((tmp_path / "state/backups/library/state.json").read_text())


def test_export_prints_the_path_and_tells_what_was_made(call, tmp_path, closed_umask):
    code, out, err = call("export")
    (path,) = (tmp_path / "archives").glob("*.tar.zst")
    assert (code, out) == (0, f"{path}\n")
    assert "Plex's database is in" in err and "verified" in err
    assert stat.S_IMODE((tmp_path / "state/backups/library").stat().st_mode) == 0o755
    state = state_of(tmp_path)
    assert (state["path"], state["kept"], state["failure"], state["size_bytes"]) == (str(path), 1, "", path.stat().st_size)


def test_export_as_json_has_the_manifest_and_what_was_removed(call, tmp_path, plex):
    old = [export(plex, tmp_path / "archives", Wanted(), clock=Clock(days)).path for days in (3, 2, 1)]
    code, out, _ = call("export", "--format", "json")
    made = json.loads(out)
    assert (code, made["good"], made["removed"]) == (0, True, [str(path) for path in old[:2]])
    assert made["manifest"]["databases"]["com.plexapp.plugins.library.db"]["rows"]["metadata_items"] == 3
    assert sorted((tmp_path / "archives").glob("*.tar.zst")) == [old[2], Path(made["path"])]


def test_archive_elsewhere_removes_none_and_is_not_kept_in_mind(call, tmp_path, plex):
    old = [export(plex, tmp_path / "elsewhere", Wanted(), clock=Clock(days)).path for days in (9, 8, 7)]
    assert call("export", "--to", str(tmp_path / "elsewhere"))[0] == 0
    assert all(path.exists() for path in old)
    assert not (tmp_path / "state/backups/library").exists()


def test_damaged_library_is_told_and_pushes_no_good_archive_out(call, tmp_path, plex):
    good = [export(plex, tmp_path / "archives", Wanted(), clock=Clock(days)).path for days in (9, 8)]
    damage(plex.library)
    code, out, err = call("export")
    assert code == 1 and "damaged" in err and Path(out.strip()).exists()
    assert all(path.exists() for path in good)
    assert "damaged" in state_of(tmp_path)["failure"]
    assert call("verify", out.strip())[0] == 1


def test_bad_archive_is_no_reason_to_remove_the_good_one(call, tmp_path, plex):
    good = [export(plex, tmp_path / "archives", Wanted(), clock=Clock(days)).path for days in (9, 8, 7)]
    text = bytearray(good[2].read_bytes())
    text[len(text) // 2] ^= 1
    good[2].write_bytes(text)
    damage(plex.library)
    _, _, err = call("export")
    assert f"{good[2]}: is not what was written" in err
    assert good[0].exists() and good[1].exists()


def test_failure_is_told_and_kept_in_mind(call, tmp_path, plex):
    assert call("export")[0] == 0
    plex.library.write_bytes(b"something else" * 1000)
    code, out, err = call("export")
    assert (code, out) == (65, "") and "No good archive" in err
    state = state_of(tmp_path)
    assert state["failure"] and state["path"]


def test_folder_that_is_not_there_is_told(call):
    code, _, err = call("export", "--data", "/nonexistent")
    assert code == 66 and "/nonexistent" in err


def test_list_says_what_each_archive_is(call, tmp_path, plex):
    code, out, _ = call("list")
    assert code == 0 and "no archive" in out
    call("export")
    (tmp_path / "archives/plex-20200101T000000Z.tar.zst").write_bytes(b"half")
    bad, good = call("list")[1].splitlines()
    assert " bad " in bad and "cut short" in bad and " good " in good
    assert call()[1] == call("list")[1]
    listed = json.loads(call("list", "--format", "json")[1])
    assert [one["good"] for one in listed] == [False, True]


def test_verify_says_whether_it_is_what_was_written(call, tmp_path):
    path = call("export")[1].strip()
    code, out, _ = call("verify", path)
    assert code == 0 and "2 databases" in out
    text = bytearray(Path(path).read_bytes())
    text[len(text) // 2] ^= 1
    Path(path).write_bytes(text)
    code, out, err = call("verify", path, "--format", "json")
    assert code == 1 and err == ""
    assert (json.loads(out)["verified"], json.loads(out)["good"]) == (False, False)
    assert state_of(tmp_path)["failure"]


def test_deep_look_finds_what_was_damaged_when_it_was_written(call, plex, monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert call("verify", call("export")[1].strip(), "--deep")[0] == 0
    damage(plex.library)
    code, out, _ = call("verify", call("export")[1].strip(), "--deep", "--format", "json")
    assert code == 1 and json.loads(out)["damage"]
    assert not list(tmp_path.glob("check-*"))


def test_help_loads_nothing_heavy():
    script = (
        "import sys; from plexguard.db_export.__main__ import cli\n"
        "try: cli.main(['export', '--help'], standalone_mode=False)\n"
        "finally: print(sorted({'sqlite3', 'rich', 'hashlib', 'tarfile', 'ssl', 'paramiko'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr.strip() == "[]"
