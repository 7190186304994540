"""An export that is killed, or meets a full disk, at any point: what is there afterwards is whole, and the next run cleans up."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from plexguard.core.errors import PlexguardError
from plexguard.db_export.archive import facts, write
from plexguard.db_export.archive.keep import list_archives
from plexguard.db_export.archive.read import open_archive
from plexguard.db_export.database.sqlite import DiskFull
from tests.fakes.cut_off import run_and_kill, run_with_full_disk
from tests.fakes.libraries import make_plex
from tests.integration.db_export.archives import make_archive
from tests.waiting import await_true


@pytest.fixture
def plex(tmp_path):
    return make_plex(tmp_path / "Plex Media Server", films=3, episodes=0, tracks=0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def whole_archives(target: Path) -> int:
    """Return how many archives have their name; each of them is whole."""
    archives = list_archives(target) if target.is_dir() else ()
    for kept in archives:
        with open_archive(kept.path) as archive:
            archive.verify()
    return len(archives)


def test_killed_at_any_change_of_the_file_system(plex, tmp_path):
    target, ends = tmp_path / "archives", 0
    for number in range(1, 60):
        before = plex.library.read_bytes()
        ends = run_and_kill(lambda: make_archive(plex, target), before=number)
        assert whole_archives(target) <= number
        assert plex.library.read_bytes() == before
        if ends:
            break
    assert ends and number > 5
    make_archive(plex, target)
    assert all(name.startswith("plex-") for name in names(target))


def test_full_disk_at_any_change_of_the_file_system(plex, tmp_path):
    target = tmp_path / "archives"
    for number in range(1, 60):
        if run_with_full_disk(lambda: make_archive(plex, target), after=number, expected=PlexguardError):
            break
        assert whole_archives(target) == 0
    assert number > 3
    assert len(names(target)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small tmpfs")
@pytest.mark.parametrize("size_kb", [300, 500, 640, 800])
def test_disk_that_is_really_full(plex, tmp_path, monkeypatch, size_kb):
    # 0.7 MB of copies and 0.06 MB of archive; what asks for room first is made to be wrong.
    monkeypatch.setattr(write, "need_space", lambda *_, **__: None)
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "none", str(small)], check=True, timeout=10)
    try:
        with contextlib.suppress(DiskFull):
            make_archive(plex, small)
        left = names(small)
        assert whole_archives(small) == len(left)
    finally:
        subprocess.run(["umount", str(small)], check=True, timeout=10)
    assert left == [] or size_kb > 700


def test_packer_that_fails_is_told_and_leaves_nothing(plex, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "zstd").write_text(
        "#!/bin/sh\necho 'zstd: error 70 : Write error : cannot write block : No space left on device' >&2\nexit 70\n"
    )
    (folder / "zstd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    with pytest.raises(DiskFull, match="No space left"):
        make_archive(plex, tmp_path / "archives")

    assert names(tmp_path / "archives") == []


def test_packer_that_is_missing_is_named(plex, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PlexguardError, match="zstd: no such command"):
        make_archive(plex, tmp_path / "archives")
    assert names(tmp_path / "archives") == []


def test_no_thread_goes_on_beside_an_interpreter_that_ends(plex, tmp_path, monkeypatch):
    """It would be in SQLite or OpenSSL while these are taken down: a crash, now and then."""
    began = threading.Event()

    def hash_without_end(copy, halt):
        began.set()
        while not halt.is_set:
            time.sleep(0.01)

    def stop(*_: object) -> None:
        assert began.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(facts, "hash_file", hash_without_end)
    monkeypatch.setattr(write, "_send_preferences", stop)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        make_archive(plex, tmp_path / "archives")
    assert threading.active_count() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=["stop", "Ctrl-C", "kill"])
def test_export_that_is_ended_from_outside(plex, tmp_path, number):
    """A pipe among the files of Metadata's folder would not be read; a packer that never reads holds it at a place that is known."""
    folder, target = tmp_path / "bin", tmp_path / "archives"
    folder.mkdir()
    (folder / "zstd").write_text("#!/bin/sh\nexec sleep 60\n")
    (folder / "zstd").chmod(0o755)
    argv = [sys.executable, "-m", "plexguard.db_export", "export", "--data", str(plex.folder), "--to", str(target)]
    env = {**os.environ, "PATH": f"{folder}:/usr/bin:/bin"}
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        await_true(lambda: list(target.glob("*/archive")) != [], timeout_s=20)
        os.kill(process.pid, number)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    if number == signal.SIGKILL:
        assert len(names(target)) == 1
        make_archive(plex, target)
        assert whole_archives(target) == len(names(target)) == 1
    else:
        assert process.returncode == 130
        assert names(target) == []
    shutil.rmtree(target)
