"""`plexguard-rclone-watchdog probe`: real mounts, in each state that they can be brought into."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes.slow_fuse import SlowFuse
from tests.fakes.storage import Storage
from tests.integration.rclone_watchdog.support import Running, abort, run_rclone, unmount
from tests.waiting import await_true

ROOT = Path(__file__).parents[3]


@pytest.fixture
def mounted(storage: Storage, tmp_path: Path):
    with run_rclone(storage, tmp_path) as rclone:
        yield rclone


def run(path, *words, config: Path | None = None, timeout_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
    given = ["--config", str(config)] if config else ["--config", "/dev/null"]
    command = [sys.executable, "-m", "plexguard.rclone_watchdog", *given, "probe", str(path), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, check=False, cwd=ROOT, errors="surrogateescape"
    )


def verdict(path, **more) -> tuple[int, str]:
    done = run(path, "--format", "json", **more)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["verdict"]


def test_a_mount_that_reads_is_proven_and_says_how(mounted: Running):
    done = run(mounted.mount_point)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{mounted.mount_point}: proven: ")
    assert "fuse.rclone" in done.stdout
    assert "bytes through the mount  good" in done.stdout


def test_a_folder_of_a_mount_is_read_below(mounted: Running, storage: Storage):
    folder = next(path for path in storage.bucket.rglob("*") if path.is_dir() and any(p.is_file() for p in path.iterdir()))
    below = mounted.mount_point / folder.relative_to(storage.bucket)
    done = run(below, "--format", "json")
    found = json.loads(done.stdout)
    assert (found["verdict"], found["mount_point"]) == ("proven", str(mounted.mount_point))
    assert (below / found["rungs"][-1]["about"]).is_file()


def test_a_dead_mount_is_stale(mounted: Running):
    mounted.process.kill()
    mounted.process.wait()
    assert verdict(mounted.mount_point) == (1, "stale")
    assert verdict(mounted.mount_point / "anything") == (1, "stale")


def test_a_frozen_mount_is_hung_and_nobody_is_left_behind(mounted: Running):
    mounted.freeze()
    before = set(psutil.pids())
    done = run(mounted.mount_point, "--format", "json")
    assert (done.returncode, json.loads(done.stdout)["verdict"], json.loads(done.stdout)["stuck_pid"]) == (1, "hung", 0)
    assert not [pid for pid in set(psutil.pids()) - before if is_probe(pid, mounted.mount_point)]


def test_whom_the_kernel_holds_is_named_and_free_after_an_abort(mounted: Running, storage: Storage):
    # rclone knows the folders, and not the bytes.
    assert verdict(mounted.mount_point) == (0, "proven")
    storage.faults.set(kind="hang")
    done = run(mounted.mount_point, "--format", "json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["verdict"]) == (1, "hung")
    assert is_probe(found["stuck_pid"], mounted.mount_point)
    abort(next(r["detail"] for r in found["rungs"] if r["name"] == "mounted there").partition("device ")[2].partition(",")[0])
    await_true(lambda: not psutil.pid_exists(found["stuck_pid"]))


def test_nothing_mounted_is_absent_and_no_path_is_no_input(mounted: Running, tmp_path: Path):
    unmount(mounted.mount_point)
    assert verdict(mounted.mount_point) == (1, "absent")
    done = run(tmp_path / "none")
    assert (done.returncode, done.stdout) == (os.EX_NOINPUT, "")


def test_an_empty_storage_is_empty(mounted: Running, storage: Storage):
    storage.empty()
    await_true(lambda: verdict(mounted.mount_point) == (1, "empty"))


def test_reads_that_fail_are_told(mounted: Running, storage: Storage):
    assert verdict(mounted.mount_point) == (0, "proven")
    storage.faults.set("data", "answer", status=403)
    assert verdict(mounted.mount_point) == (1, "degraded")


@pytest.mark.parametrize("name", ["a b", "tab\there", "line\nend", "d\udce9j\xe0"])
def test_odd_names_are_probed_and_shown_on_one_line(storage: Storage, tmp_path: Path, name: str):
    folder = tmp_path / name
    folder.mkdir()
    with run_rclone(storage, folder) as rclone:
        done = run(rclone.mount_point)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stdout + done.stderr


def test_a_mount_of_another_kind_is_probed(tmp_path: Path):
    source, target = tmp_path / "source", tmp_path / "target"
    for path in (source, target):
        path.mkdir()
    (source / "film.mkv").write_bytes(b"film" * 10_000)
    with SlowFuse(source, target, lookup_s=0.01, kind="fuse.mergerfs") as fuse:
        assert verdict(target) == (0, "proven")
        fuse.hang()
        assert verdict(target) == (1, "hung")
        fuse.recover()


def test_where_something_else_is_mounted_than_is_configured_is_foreign(mounted: Running, tmp_path: Path):
    config = tmp_path / "plexguard.toml"
    config.write_text(f'[rclone.media]\nremote = "s3:other"\nmount_point = "{mounted.mount_point}"\n')
    assert verdict(mounted.mount_point, config=config) == (1, "foreign")


def is_probe(pid: int, path: Path) -> bool:
    try:
        return str(path) in psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
