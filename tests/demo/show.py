"""How the demonstration shows what it does: commands as they are typed, and what the machine answers."""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from plexguard.core.events import Priority
from tests.machine import Machine


class Show:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def title(self, text: str) -> None:
        print(f"\n== {text} ==\n", flush=True)

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)

    def command(self, *argv: str, check: bool = True, lines: int = 40) -> str:
        """Run a command and show it with its output."""
        return self._show(argv, argv, check=check, lines=lines)

    def script(self, line: str, *, lines: int = 40) -> str:
        """Run a line of shell and show it with its output."""
        return self._show(["sh", "-c", line], line, check=False, lines=lines)

    def data(self, what: Any) -> None:
        """Show a piece of data as indented JSON."""
        print("\n".join(f"   {line}" for line in json.dumps(what, indent=2).splitlines()), flush=True)

    def journal(self, *arguments: str, since_cursor: str = "", lines: int = 60) -> str:
        """Show what journalctl prints of what these arguments match; since_cursor: from there on."""
        cursor = [f"--cursor={since_cursor}"] if since_cursor else []
        argv = ["journalctl", "-q", "-o", "short-iso", *cursor, *arguments]
        return self._show(argv, ["journalctl", *arguments], check=True, lines=lines)

    def _show(self, argv: Sequence[str], typed: Sequence[str] | str, *, check: bool, lines: int) -> str:
        print(f"# {typed if isinstance(typed, str) else shlex.join(typed)}", flush=True)
        done = self._machine.run(argv, check=check, timeout_s=180)
        shown = (done.stdout + _as_on_a_terminal(done.stderr)).rstrip().splitlines()
        for line in shown[:lines]:
            print(f"  {line}")
        if len(shown) > lines:
            print(f"  … {len(shown) - lines} more lines")
        return done.stdout


def _as_on_a_terminal(text: str) -> str:
    """Return the lines of standard error as a person sees them: with the word for a level in place of its number."""
    return re.sub(r"^<(\d)>", lambda found: f"{Priority(int(found[1])).name.lower()}: ", text, flags=re.MULTILINE)
