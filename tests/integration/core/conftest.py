"""What the tests of the core's input and output share: a process of its own, in a mount namespace of its own if asked."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def environment(**more: str) -> dict[str, str]:
    """Return an environment in which a Python process finds this tree and leaves nothing in it."""
    kept = {name: value for name, value in os.environ.items() if name not in ("JOURNAL_STREAM", "NOTIFY_SOCKET")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", **more}


def python(script: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(script)]


@pytest.fixture
def run_python() -> Run:
    """Run a script to its end and return how it ended."""

    def run(script: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(python(script), env=environment(**more), capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.fixture
def run_mounted() -> Run:
    """Run a script as root of mounts of its own: what it mounts is gone with it, and nobody else sees it."""
    private = ["unshare", "--mount", "--propagation", "private"]
    tried = subprocess.run([*private, "true"], capture_output=True, text=True, timeout=30, check=False)
    if tried.returncode and os.environ.get("CI") == "true":
        pytest.fail(f"no mount namespaces: {tried.stderr}")
    if tried.returncode:
        pytest.skip(f"NO MOUNT NAMESPACES: {tried.stderr}")

    def run(script: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*private, *python(script)], env=environment(**more), capture_output=True, text=True, timeout=30, check=False
        )

    return run
