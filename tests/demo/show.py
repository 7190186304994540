"""How the demonstration shows what it does: commands as they are typed, and what the machine answers."""

import shlex

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
        print(f"# {shlex.join(argv)}", flush=True)
        done = self._machine.run(argv, check=check, timeout_s=180)
        shown = (done.stdout + done.stderr).rstrip().splitlines()
        for line in shown[:lines]:
            print(f"  {line}")
        if len(shown) > lines:
            print(f"  … {len(shown) - lines} more lines")
        return done.stdout

    def journal(self, *arguments: str, lines: int = 60) -> str:
        return self.command("journalctl", "--no-pager", "-q", "-o", "short-iso", *arguments, lines=lines)
