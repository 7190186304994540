"""A package manager that works is seen by the lock that it holds, without any right."""

import subprocess
import sys
from pathlib import Path

from plexguard.core.updates import find_package_work

_HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_that_is_held_by_another_process_means_that_packages_are_changing(tmp_path: Path) -> None:
    lock = tmp_path / "lock-frontend"
    lock.write_text("")
    before = find_package_work(locks=(tmp_path / "missing", lock))

    holder = subprocess.Popen([sys.executable, "-c", _HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        # neither its owner's name nor its mode keeps it from being seen
        lock.chmod(0)
        held = find_package_work(locks=(tmp_path / "missing", lock))
    finally:
        holder.kill()
        holder.wait()

    assert (before, find_package_work(locks=(lock,))) == ("", "")
    assert held == f"{Path(sys.executable).name} (pid {holder.pid}) holds {lock}"
