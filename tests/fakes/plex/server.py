#!/usr/bin/python3
"""The simulator as a program: run a server, or switch one that runs.

    server.py --data DIR [--port N] [--address A] [--control FILE]
    server.py [--data DIR | --control FILE] set mode=hung delay_s=5

It works from a copy of its folder alone, whatever that folder is called.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

SUPPORT_VARIABLE = "PLEX_MEDIA_SERVER_APPLICATION_SUPPORT_DIR"
DEFAULT_SUPPORT = "/var/lib/plexmediaserver/Library/Application Support"
CONTROL_VARIABLE = "PLEX_SIMULATOR_CONTROL"
# What a server that cannot start exits with.
FAILURE = 255


def load_package() -> ModuleType:
    """Load the folder this file is in as a package, under a name of its own, without touching the import path."""
    # Nothing is to be written outside the data folder, not even beside the installed program.
    sys.dont_write_bytecode = True
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        "plex_simulator", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["plex_simulator"] = package
    spec.loader.exec_module(package)
    return package


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    options = parse_arguments(arguments)
    package: Any = load_package()
    control = options.control or options.data.parent / "simulator.json"
    if options.command == "set":
        return switch(package, control, options.switches)
    return serve(package, options, control)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options, the defaults taken from the environment Plex's own unit sets."""
    support = Path(os.environ.get(SUPPORT_VARIABLE) or DEFAULT_SUPPORT)
    control = os.environ.get(CONTROL_VARIABLE)
    parser = argparse.ArgumentParser(description="Simulate a Plex Media Server.")
    parser.add_argument("--data", type=Path, default=support / "Plex Media Server", help="the folder 'Plex Media Server'")
    parser.add_argument("--port", type=int, default=32400)
    parser.add_argument("--address", default="0.0.0.0" if os.environ.get(SUPPORT_VARIABLE) else "127.0.0.1")
    parser.add_argument("--control", type=Path, default=Path(control) if control else None, help="the JSON file of switches")
    commands = parser.add_subparsers(dest="command")
    setter = commands.add_parser("set", help="change switches of a running simulator")
    setter.add_argument("switches", nargs="+", metavar="NAME=VALUE")
    return parser.parse_args(arguments)


def switch(package: Any, control: Path, words: Sequence[str]) -> int:
    """Write switches into the control file."""
    faults = importlib.import_module("plex_simulator.faults")
    try:
        faults.update_control(control, dict(map(parse_switch, words)))
    except (faults.SwitchError, OSError) as error:
        print(f"{control}: {error}", file=sys.stderr)
        return os.EX_USAGE
    return 0


def parse_switch(word: str) -> tuple[str, object]:
    """Return NAME=VALUE as a pair; a value that is no JSON is text."""
    name, _, text = word.partition("=")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def serve(package: Any, options: argparse.Namespace, control: Path) -> int:
    """Run a server until it is told to stop."""
    plex = package.PlexSimulator(options.data, port=options.port, address=options.address, control=control, on_crash=die)
    ended = threading.Event()
    causes: list[str] = []

    def stop(number: int, frame: object) -> None:
        if not plex.faults.current().ignore_term:
            causes.append(f"signal {number} ({signal.strsignal(number)})")
            ended.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    plex.start()
    ended.wait()
    time.sleep(plex.faults.current().stop_delay_s)
    plex.stop(causes[0])
    return 0


def die(line: str) -> None:
    """End the process as one that could not set up its server."""
    print(line, flush=True)
    os._exit(FAILURE)


if __name__ == "__main__":
    sys.exit(main())
