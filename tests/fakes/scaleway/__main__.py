"""The fake as a program; see the package."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from .cloud import FakeScaleway
from .machines import run_command
from .records import Timing

VERBS = ("poweron", "poweroff", "reboot", "terminate")


def main() -> int:
    parser = argparse.ArgumentParser(prog="scaleway", description="A fake of Scaleway's API, for tests.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="the folder all is kept in")
    parser.add_argument("--scale", type=float, default=1.0, help="how long steps take, as a share of the real ones")
    parser.add_argument("--hook", help="the command that boots and ends machines")
    options = parser.parse_args()
    hooks: dict[str, Any] = {verb: run_command(options.hook, verb) for verb in VERBS} if options.hook else {}
    timing = Timing().scaled(options.scale)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with FakeScaleway(timing=timing, state=options.state, address=options.address, port=options.port, **hooks) as cloud:
        print(cloud.url, flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
