"""Whoever owns the media swaps links in as fast as they can while root repairs them: nothing outside ever changes.

What other tests check swap by swap is here left to chance, many thousand times, for whatever runs as root and changes modes.
The same attack opens root's secret at once to the command that everybody knows.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.perms_audit.attack import READER, Attack, Scene
from tests.integration.perms_audit.support import REPOSITORY

# How long all victims together are attacked.
ATTACK_S = 60.0
_LOOK_AS = ["--as-uid", str(READER), "--as-gid", str(READER)]
# A guard repairs a path but once in a while, so it is begun anew, with no memory, after this long.
_GUARD_S = 4.0
_DONE, _FOUND, _NO_INPUT = 0, 1, 66

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def scene() -> Iterator[Scene]:
    with Scene() as scene:
        yield scene


# -- the victims: each does its work once, with a state of its own, and returns how much it repaired -------------------


def audit(scene: Scene, state: Path) -> int:
    done = _run(state, "--config", str(_configure(scene, state)), "--format", "json", *_LOOK_AS, str(scene.root))
    # Of a root that is swapped just now nothing is known, and it is said so.
    assert done.returncode in (_DONE, _FOUND, _NO_INPUT), done.stderr
    return int(json.loads(done.stdout)["repaired"])


def audit_and_undo(scene: Scene, state: Path) -> int:
    """What was changed and taken back would still show, but for the ledger: so one looks in between."""
    audit(scene, state)
    scene.assert_untouched()
    return sum(_undo(state, run) for run in _list_runs(state))


def guard(scene: Scene, state: Path) -> int:
    command = [sys.executable, "-m", "plexguard.perms_audit", "guard", "--config", str(_configure(scene, state))]
    with open(state / "told", "w+") as told:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=_environment(state), stdout=told, stderr=told)
        time.sleep(_GUARD_S)
        process.terminate()
        code = process.wait(30)
        told.seek(0)
        assert code == 0, told.read()
    return sum(len(_list_changes(state, run)) for run in _list_runs(state))


VICTIMS: dict[str, Callable[[Scene, Path], int]] = {
    "audit": audit,
    "undo": audit_and_undo,
    "guard": guard,
}


@pytest.mark.parametrize("victim", VICTIMS.values(), ids=VICTIMS.keys())
def test_nothing_outside_the_root_is_ever_changed(scene: Scene, tmp_path: Path, victim: Callable[[Scene, Path], int]) -> None:
    rounds = repaired = 0
    end_s = time.monotonic() + ATTACK_S / len(VICTIMS)

    with Attack(scene) as attack:
        while time.monotonic() < end_s:
            state = tmp_path / str(rounds)
            state.mkdir()
            repaired += victim(scene, state)
            scene.assert_untouched()
            rounds += 1

    # It was a real attack, on somebody who was really at work.
    assert attack.swaps > 10_000
    assert rounds >= 3
    assert repaired > 100


def test_the_same_attack_opens_the_secret_to_who_repairs_by_path(scene: Scene) -> None:
    end_s = time.monotonic() + ATTACK_S / len(VICTIMS)

    with Attack(scene):
        while not scene.is_hit() and time.monotonic() < end_s:
            naive = ["find", str(scene.root), "-type", "f", "-exec", "chmod", "a+r", "{}", "+"]
            subprocess.run(naive, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    assert scene.is_hit()


# -- the command ------------------------------------------------------------------------------------------------------


def _configure(scene: Scene, state: Path) -> Path:
    file = state / "plexguard.toml"
    file.write_text(f'[perms-audit]\nroots = ["{scene.root}"]\nas_uid = {READER}\nas_gid = {READER}\n')
    return file


def _environment(state: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "STATE_DIRECTORY": str(state), "RUNTIME_DIRECTORY": str(state)}


def _run(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "plexguard.perms_audit", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=_environment(state), capture_output=True, text=True, errors="surrogateescape", check=False
    )


def _list_runs(state: Path) -> list[str]:
    return [run["run"] for run in json.loads(_run(state, "list", "--format", "json").stdout)]


def _list_changes(state: Path, run: str) -> list[object]:
    return list(json.loads(_run(state, "list", "--format", "json", run).stdout))


def _undo(state: Path, run: str) -> int:
    """Undo a run; return how many changes were taken back ("12 restored, 3 no longer there")."""
    done = _run(state, "undo", run)
    assert done.returncode in (_DONE, _FOUND), done.stderr
    counts = [part.split(" ", 1) for part in done.stdout.strip().split(", ")]
    return sum(int(count) for count, *what in counts if what == ["restored"])
