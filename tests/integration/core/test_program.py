"""The end of a program as its caller sees it: codes of real processes, and pipes that nobody reads."""

import os
import subprocess

import pytest

from tests.integration.core.conftest import Run, environment, python

PROGRAM = """
    import os, click
    from plexguard.core import program

    @click.command()
    def sample():
        {}

    program.launch("sample", sample)
"""


@pytest.mark.parametrize("act", ["print('one line')", "print('x' * 1_000_000)"], ids=["at the end", "on the way"])
def test_reader_that_went_away_is_no_failure_that_was_found(act: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            python(PROGRAM.format(act)),
            env=environment(),
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writer)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    ("act", "code", "stderr"),
    [
        ("print('done')", 0, ""),
        ("return program.FOUND_PROBLEMS", 1, ""),
        (
            "from plexguard.core.errors import TryAgain; raise TryAgain('busy')",
            75,
            "<3>plexguard-sample stopped: busy (try: man plexguard-sample)\n",
        ),
        ("os.kill(os.getpid(), 2); import time; time.sleep(5)", 130, None),
    ],
    ids=["done", "found", "again", "interrupted"],
)
def test_process_ends_with_the_code_of_its_command(run_python: Run, act: str, code: int, stderr: str | None) -> None:
    done = run_python(PROGRAM.format(act))

    assert done.returncode == code
    assert stderr is None or done.stderr == stderr
    assert "Traceback" not in done.stderr


def test_bug_in_a_real_process_ends_with_70_and_its_traceback(run_python: Run) -> None:
    done = run_python(PROGRAM.format("raise ValueError('odd')"))

    assert done.returncode == 70
    assert done.stderr.startswith("<2>plexguard-sample met a bug of its own: ValueError: odd\n<2>Traceback")
