"""The live guard with the simplest checker there is: what lacks read bits gets them. `chmod_guard.py ROOT...`

Each checked path is a line on stdout, so that a test can count; with --silent nothing is printed.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Sequence

from plexguard.core import program
from plexguard.perms_audit.guard.act import run_guard
from plexguard.perms_audit.open import opened_inode, opened_root
from plexguard.perms_audit.prove import Place


class ChmodChecker:
    def __init__(self, roots: Sequence[str], *, silent: bool = False) -> None:
        self._roots = roots
        self._silent = silent

    def check(self, places: Sequence[Place]) -> None:
        for place in places:
            # It may be gone again.
            with contextlib.suppress(OSError):
                self._check(place)
            if not self._silent:
                print(f"{place.root}:{place.path!a}", flush=True)

    def flush(self) -> None:
        pass

    def _check(self, place: Place) -> None:
        with opened_root(self._roots[place.root]) as root_fd, opened_inode(root_fd, place.path) as (_, _, fd):
            mode = os.fstat(fd).st_mode
            wanted = mode | (0o755 if stat.S_ISDIR(mode) else 0o644)
            if wanted != mode and (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(wanted))


def main(arguments: list[str]) -> int:
    silent = "--silent" in arguments
    roots = [argument for argument in arguments if argument != "--silent"]
    return run_guard(roots, ChmodChecker(roots, silent=silent), program.open_ports("perms-audit"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
