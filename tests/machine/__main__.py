"""Boot a throw-away machine and give its shell: `python3 -m tests.machine --deb ../plexguard_*.deb`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.machine import Machine, MachineError, can_run
from tests.machine.tree import NAMED


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.machine",
        description="Boot a throw-away systemd machine, and get a shell in it; at its end all is gone.",
    )
    parser.add_argument("--tree", choices=sorted(NAMED), default="ready", help="what is installed (default: ready)")
    parser.add_argument("--suite", choices=("bookworm", "trixie"), default="bookworm", help="which Debian")
    parser.add_argument("--deb", type=Path, action="append", default=[], help="install this package file; repeatable")
    parser.add_argument("--network", choices=("private", "shared"), default="private", help="shared: with apt's mirror")
    parser.add_argument("--allow-degraded", action="store_true", help="go on although a unit failed")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="run this instead of a shell")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    arguments = parse_arguments(argv)
    reason = can_run()
    if reason:
        print(f"tests.machine: {reason}", file=sys.stderr)
        return 1
    tree = NAMED[arguments.tree].on(arguments.suite)
    try:
        with Machine(tree, network=arguments.network, allow_degraded=arguments.allow_degraded) as machine:
            for deb in arguments.deb:
                print(machine.install(deb))
            # Ctrl-C is for what runs inside, so it is caught here; an ignored signal would stay ignored there.
            signal.signal(signal.SIGINT, lambda *_: None)
            return machine.shell(arguments.command)
    except MachineError as error:
        print(f"tests.machine: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
