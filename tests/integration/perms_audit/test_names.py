"""Every name a file system takes goes through the command unharmed: repaired, reported exactly, and shown on one line."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from plexguard.core.events import show_path
from tests.fakes import names
from tests.integration.perms_audit.support import Ended, command, make_file, mode_of

_DONE, _FOUND = 0, 1
# What no terminal and no log must ever be sent as it is: controls (C0, DEL, C1), line and paragraph ends, reversed text.
_UNSHOWN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


@dataclass(frozen=True)
class Corpus:
    """A root with a closed folder of each name and an unreadable file of that name in it. wrong: all these paths."""

    root: Path
    folder: Path
    wrong: set[bytes]

    def run(self, *arguments: str) -> Ended:
        """Run the command, which must show everything on lines of its own and free of controls."""
        done = command(self.folder, *arguments, config=f'[perms-audit]\nroots = ["{self.root}"]\n')
        assert not _UNSHOWN.search(done.out + done.err), done
        assert "Traceback" not in done.err
        assert not (self.folder / "owned").exists()
        return done

    def repair(self) -> str:
        """Repair everything and return the run's name."""
        run = self.run("--format", "json").report["run"]
        assert self.is_repaired()
        return str(run)

    def is_untouched(self) -> bool:
        return all(mode_of(path) in (0o000, 0o700) for path in self.wrong)

    def is_repaired(self) -> bool:
        return all(mode_of(path) in (0o644, 0o755) for path in self.wrong)


def paths_of(entries: list[dict[str, str]]) -> set[bytes]:
    return {os.fsencode(entry["path"]) for entry in entries}


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    make_file(tmp_path / "root/well.mkv")
    (tmp_path / "root").chmod(0o755)
    return Corpus(tmp_path / "root", tmp_path, names.plant_all(tmp_path / "root"))


# -- ways to meet them: each is a function here and a line in the table below -----------------------------------------


def audit(corpus: Corpus) -> None:
    assert corpus.run().code == _DONE
    assert corpus.is_repaired()


def audit_for_programs(corpus: Corpus) -> None:
    done = corpus.run("--format", "json")

    assert paths_of(done.report["changes"]) == corpus.wrong
    assert corpus.is_repaired()


def dry_run(corpus: Corpus) -> None:
    done = corpus.run("--dry-run", "--format", "json")

    assert done.code == _FOUND
    assert paths_of(done.report["changes"]) == corpus.wrong
    assert corpus.is_untouched()


def check(corpus: Corpus) -> None:
    done = corpus.run("--check", "--format", "json")

    assert done.code == _FOUND
    assert os.fsencode(json.loads(done.out)["unreadable"]) in corpus.wrong
    assert corpus.is_untouched()


def recent(corpus: Corpus) -> None:
    assert corpus.run("--recent").code == _DONE
    assert corpus.is_repaired()


def roots(corpus: Corpus) -> None:
    """The folders as roots of their own, in one command line."""
    folders = [path for path in corpus.wrong if os.path.dirname(path) == os.fsencode(corpus.root)]

    done = corpus.run("--", *sorted(map(os.fsdecode, folders)))

    assert done.code == _DONE
    assert corpus.is_repaired()


def list_changes(corpus: Corpus) -> None:
    run = corpus.repair()

    listed = corpus.run("list", "--format", "json", run)

    assert paths_of(json.loads(listed.out)) == corpus.wrong
    assert len(corpus.run("list", run).out.splitlines()) == len(corpus.wrong)


def undo(corpus: Corpus) -> None:
    run = corpus.repair()

    assert corpus.run("undo", run).code == _DONE
    assert corpus.is_untouched()


def explain(corpus: Corpus) -> None:
    folders = [path for path in corpus.wrong if os.path.dirname(path) == os.fsencode(corpus.root)]

    answers = [corpus.run("explain", os.fsdecode(path)) for path in sorted(folders)]

    assert [(answer.code, len(answer.out.splitlines())) for answer in answers] == [(_FOUND, 1)] * len(folders)


WAYS: dict[str, Callable[[Corpus], None]] = {
    "audit": audit,
    "audit for programs": audit_for_programs,
    "dry run": dry_run,
    "check": check,
    "recent": recent,
    "roots": roots,
    "list": list_changes,
    "undo": undo,
    "explain": explain,
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_all_names_go_through(corpus: Corpus, way: Callable[[Corpus], None]) -> None:
    way(corpus)


@pytest.mark.parametrize("name", names.NAMES.values(), ids=names.NAMES.keys())
def test_check_shows_a_name_on_one_line(tmp_path: Path, name: bytes) -> None:
    root = tmp_path / "root"
    make_file(os.path.join(os.fsencode(root), name), 0o000)
    root.chmod(0o755)

    done = command(tmp_path, "--check", str(root))

    assert (done.code, done.out) == (_FOUND, f"{root}/{show_path(os.fsdecode(name))}\n")
    assert not _UNSHOWN.search(done.out)
