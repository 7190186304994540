"""A Plex that is stopped, or is not: real processes, locks and containers' view of the files."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from plexguard.core.clock import SystemClock
from plexguard.db_export.database.files import PlexData
from plexguard.db_export.swap.stopped import prove_stopped
from plexguard.db_export.swap.users import PlexRuns, find_users
from tests.fakes.libraries import make_plex
from tests.fakes.ports import FakeHost, FakeManager

_OPEN = "import sys; f = open(sys.argv[1]); print('ready', flush=True); sys.stdin.read()"
_CONNECT = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM tags').fetchone(); "
    "print('ready', flush=True); sys.stdin.readline(); c.close(); print('closed', flush=True); sys.stdin.read()"
)


@pytest.fixture
def data(tmp_path: Path) -> PlexData:
    return make_plex(tmp_path / "Plex Media Server", films=3, episodes=0, tracks=0)


@contextmanager
def started(*argv: str, env: dict[str, str] | None = None) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that says when it is ready and ends with its stdin."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


def prove(data: PlexData, *, wait_s: float = 0.0) -> None:
    prove_stopped(data, None, manager=FakeManager(), host=FakeHost(), clock=SystemClock(), wait_s=wait_s)


def test_data_that_nobody_uses_is_proven_to_be_free(data: PlexData) -> None:
    prove(data)


@pytest.mark.parametrize("name", ["library", "blobs"])
def test_process_that_has_a_database_open_is_named(data: PlexData, name: str) -> None:
    path = str(getattr(data, name))
    with started(sys.executable, "-c", _OPEN, path) as process, pytest.raises(PlexRuns, match=rf"pid {process.pid}\) has open"):
        prove(data)
    prove(data)


def test_wal_that_somebody_has_open_is_enough(data: PlexData) -> None:
    wal = Path(f"{data.library}-wal")
    wal.touch()
    with started(sys.executable, "-c", _OPEN, str(wal)), pytest.raises(PlexRuns, match=r"library\.db-wal"):
        prove(data)


def test_process_in_a_mount_namespace_with_other_paths_is_seen(data: PlexData, tmp_path: Path) -> None:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no mount namespaces here")
    inside = tmp_path / "config"
    inside.mkdir()
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2/com.plexapp.plugins.library.db"'
    argv = ["unshare", "-m", "sh", "-c", script, "sh", str(data.databases), str(inside), sys.executable, _OPEN]

    with started(*argv) as process, pytest.raises(PlexRuns, match=rf"pid {process.pid}\) has open"):
        assert not (inside / "com.plexapp.plugins.library.db").exists()
        prove(data)


def test_lock_is_seen_without_a_look_at_processes(data: PlexData) -> None:
    with closing(sqlite3.connect(data.library, isolation_level=None)) as connection:
        # Our own descriptors do not count, our own locks do.
        connection.execute("SELECT count(*) FROM tags").fetchone()
        users = find_users((data.library, Path(f"{data.library}-shm")))

    assert {(user.pid, user.is_lock) for user in users} == {(os.getpid(), True)}


def test_plex_that_is_still_closing_is_waited_for(data: PlexData) -> None:
    with started(sys.executable, "-c", _CONNECT, str(data.library)) as process:
        with pytest.raises(PlexRuns):
            prove(data)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()

        prove(data, wait_s=20.0)

        assert process.stdout.readline() == "closed\n"


def test_server_of_this_folder_is_seen_before_it_opens_anything(data: PlexData, tmp_path: Path) -> None:
    program = tmp_path / "Plex Media Server.bin" / "Plex Media Server"
    program.parent.mkdir()
    shutil.copy("/bin/cat", program)
    environment = {"PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR": str(data.folder.parent)}
    with subprocess.Popen([program], stdin=subprocess.PIPE, env=environment) as process:
        with pytest.raises(PlexRuns, match=rf"Plex Media Serv.* \(pid {process.pid}, .*\) runs"):
            prove(data)
        # For other data it is nobody's business.
        prove(make_plex(tmp_path / "other", films=1, episodes=0, tracks=0))
        assert process.stdin is not None
        process.stdin.close()
    prove(data)
