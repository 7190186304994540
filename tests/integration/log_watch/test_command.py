"""plexguard-log-watch as a process: by hand, and under a manager that listens."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.core.conftest import environment

COMMAND = [sys.executable, "-m", "plexguard.log_watch"]


def test_it_tells_its_manager_what_it_follows_and_ends_when_asked(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.settimeout(20)
        # There need not be a journal here.
        (tmp_path / "some.toml").write_text('[log-watch]\nproxy_unit = ""\n')
        process = subprocess.Popen(
            [*COMMAND, "--config", str(tmp_path / "some.toml")],
            env=environment(NOTIFY_SOCKET=address, STATE_DIRECTORY=str(tmp_path)),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            ready = manager.recv(4096).decode().split("\n")
            process.send_signal(signal.SIGTERM)
            asked = time.monotonic()
            _, err = process.communicate(timeout=20)
            took = time.monotonic() - asked
        finally:
            process.kill()

    assert (ready[0], ready[1].partition("=")[0], ready[2]) == ("READY=1", "STATUS", "WATCHDOG=1")
    assert (process.returncode, err) == (0, "")
    assert took < 1.0
    # By hand it remembers nothing: its standard error is no journal.
    assert not (tmp_path / "state.json").exists()


def test_what_it_imports_is_little(tmp_path: Path) -> None:
    script = "import sys, plexguard.log_watch.__main__ as m; print(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], env=environment(), capture_output=True, text=True, timeout=20, check=True)

    # It stays in memory: what only some lines need is not there before the first of them.
    assert {"sqlite3", "requests", "psutil", "hashlib", "ssl", "http.client", "systemd.journal"} & set(done.stdout.split()) == set()
