"""A disk that is full, or that may not be written, costs the new record and never the old one."""

import fcntl
import os
import subprocess
from pathlib import Path

from plexguard.core.state import exclusive_lock
from tests.integration.core.conftest import Run

PREPARE = """
    import os, subprocess, sys
    from pathlib import Path

    from plexguard.core.errors import IoFailed
    from plexguard.core.state import write_atomic

    disk = Path("/mnt")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    state = disk / "state.json"
    write_atomic(state, b"old", mode=0o644)

    def names():
        return sorted(f.name for f in disk.iterdir())
"""


def test_full_disk_keeps_the_old_content_and_leaves_nothing_behind(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    try:
        write_atomic(state, b"n" * 200_000, mode=0o644)
    except IoFailed as error:
        print(error)
    print(state.read_bytes(), names())
    # And there is room again, since what was half written is gone.
    write_atomic(state, b"new", mode=0o644)
    print(state.read_bytes(), names())
    """
    )

    assert done.stdout.splitlines() == [
        "Failed to write /mnt/state.json: No space left on device",
        "b'old' ['state.json']",
        "b'new' ['state.json']",
    ], done.stderr


def test_read_only_disk_is_a_failure_of_its_own_kind(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        write_atomic(state, b"new", mode=0o644)
    except IoFailed as error:
        print(error)
    print(state.read_bytes(), names())
    """
    )

    assert done.stdout.splitlines() == [
        "Failed to write /mnt/state.json: Read-only file system",
        "b'old' ['state.json']",
    ], done.stderr


def test_folder_that_may_not_be_written_is_a_failure_of_its_own_kind(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    disk.chmod(0o555)
    state.chmod(0o600)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    from plexguard.core.errors import NoPermission
    from plexguard.core.state import History, StateFile, exclusive_lock
    from tests.integration.core.conftest import ROOT
    for act in (
        lambda: write_atomic(state, b"new", mode=0o644),
        lambda: StateFile(state, object, schema=1, journal=None).load(),
        lambda: exclusive_lock(disk / "lock").__enter__(),
    ):
        try:
            act()
        except (IoFailed, NoPermission) as error:
            print(type(error).__name__, error)
    print(names())
    """
    )

    assert done.stdout.splitlines() == [
        "IoFailed Failed to write /mnt/state.json: Permission denied",
        "NoPermission Failed to read /mnt/state.json: Permission denied",
        "NoPermission Failed to open /mnt/lock: Permission denied",
        "['state.json']",
    ], done.stderr


def test_configuration_that_may_not_be_read_is_a_mistake_and_no_traceback(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    from plexguard.core import config
    from plexguard.core.errors import ConfigError
    (disk / "closed").mkdir(mode=0o700)
    (disk / "plexguard.toml").write_text("")
    (disk / "plexguard.toml").chmod(0o600)
    (disk / "plexguard.toml.d").mkdir(mode=0o700)
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    for path in (disk / "plexguard.toml", disk / "closed" / "x.toml"):
        settings = config.read(path, {})
        try:
            settings.check()
        except ConfigError as error:
            print(error)
    """
    )

    assert done.stdout.splitlines()[:2] == [
        "/mnt/plexguard.toml.d: cannot be read: Permission denied",
        "/mnt/plexguard.toml: cannot be read: Permission denied",
    ], done.stderr
    assert "/mnt/closed/x.toml: cannot be read: Permission denied" in done.stdout


def test_lock_is_given_back_by_the_kernel_when_its_holder_is_killed(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    import signal
    from plexguard.core.errors import TryAgain
    from plexguard.core.state import exclusive_lock
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        with exclusive_lock(disk / "lock"):
            os.write(writer, b"x")
            signal.pause()
    os.read(reader, 1)
    try:
        with exclusive_lock(disk / "lock"):
            print("twice")
    except TryAgain as error:
        print(error)
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with exclusive_lock(disk / "lock"):
        print("free")
    """
    )

    assert done.stdout.splitlines() == ["/mnt/lock: held by another run", "free"], done.stderr


def test_lock_that_a_killed_run_left_with_a_program_it_was_starting_is_waited_for(tmp_path: Path) -> None:
    inherited = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(inherited, fcntl.LOCK_EX)
    with subprocess.Popen(["sleep", "0.1"], pass_fds=[inherited]):
        os.close(inherited)

        with exclusive_lock(tmp_path / "lock"):
            pass


def test_writer_that_is_killed_at_any_moment_leaves_the_old_or_the_new(run_mounted: Run) -> None:
    done = run_mounted(
        PREPARE
        + """
    import random, signal, time
    seen = set()
    for _ in range(40):
        writer = os.fork()
        if writer == 0:
            while True:
                for content in (b"old", b"new" * 5000):
                    write_atomic(state, content, mode=0o644)
        time.sleep(random.uniform(0.001, 0.02))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        seen.add(len(state.read_bytes()))
        for left in disk.iterdir():
            if left != state:
                left.unlink()
    print(seen <= {3, 15000}, len(seen) > 0)
    """
    )

    assert done.stdout.split() == ["True", "True"], done.stderr
