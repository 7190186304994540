"""Looks side by side: all of them end when one fails, and when a person ends the program."""

import os
import shutil
import signal
import sqlite3
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from plexguard.db_export.check.together import Look, how_many, take_all
from tests.fakes.libraries import make_plex
from tests.waiting import await_true

_ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    library = make_plex(tmp_path / "plex", films=3).library
    target = tmp_path / "copy.db"
    shutil.copy(library, target)
    with target.open("r+b") as file:
        file.seek(18)
        file.write(b"\1\1")
    return target


def endless(connection: sqlite3.Connection) -> str:
    return str(connection.execute(_ENDLESS).fetchone())


def fail(connection: sqlite3.Connection) -> NoReturn:
    raise ValueError("on purpose")


def press_ctrl_c(connection: sqlite3.Connection) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return endless(connection)


def test_answers_come_in_order(copy: Path) -> None:
    looks = [Look(take=lambda connection, n=n: n, changes={}) for n in range(5)]
    assert take_all(copy, looks) == [0, 1, 2, 3, 4]


@pytest.mark.skipif(how_many() < 2, reason="needs two processors")
def test_all_end_when_one_fails(copy: Path) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        take_all(copy, [Look(take=endless, changes={}), Look(take=fail, changes={})])


def test_all_end_when_a_person_ends_them(copy: Path) -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        take_all(copy, [Look(take=press_ctrl_c, changes={}), Look(take=endless, changes={})])
    await_true(lambda: threading.active_count() == before, what="the end of all looks")


def test_schema_that_is_changed_for_a_look_is_never_written(copy: Path) -> None:
    before = copy.read_bytes()
    changes = {"index_tags_on_tag": "CREATE INDEX index_tags_on_tag ON tags(1)WHERE 0"}

    def read(connection: sqlite3.Connection) -> str:
        return str(connection.execute("SELECT sql FROM sqlite_master WHERE name = 'index_tags_on_tag'").fetchone()[0])

    assert take_all(copy, [Look(take=read, changes=changes), Look(take=read, changes={})])[0] == changes["index_tags_on_tag"]
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir() if path.name.startswith("copy")] == ["copy.db"]
