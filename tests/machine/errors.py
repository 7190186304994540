"""What can go wrong with a test machine."""

import shlex
import subprocess


class MachineError(Exception):
    """A machine or a tree isn't what it should be; the message says what was seen."""


class DeadlineMissed(MachineError):
    """Something that was waited for did not come in time."""


class CommandFailed(MachineError):
    """A command in a machine ended with a code other than 0; `done` has it with its outputs."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(
            f"{shlex.join(done.args)}: exit code {done.returncode}\n--- stdout ---\n{done.stdout}\n--- stderr ---\n{done.stderr}"
        )
        self.done = done
