"""`probe`: a mount looked at once, whoever has made it."""

import json
import os
from collections.abc import Iterator, Mapping

import click

from plexguard.core.events import show_path
from plexguard.core.program import FOUND_PROBLEMS, Ports
from plexguard.core.records import encode
from plexguard.core.state import STATE_ROOT
from plexguard.rclone_watchdog import probe
from plexguard.rclone_watchdog.asking.kernel import MountTable
from plexguard.rclone_watchdog.asking.prober import SAMPLES_FILE, MountProber
from plexguard.rclone_watchdog.asking.samples import SCHEMA, Remembered
from plexguard.rclone_watchdog.asking.samples import Known as KnownFiles
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.mounting.prepare import RUNTIME_FOLDER
from plexguard.rclone_watchdog.states import Verdict

NAME = "rclone-watchdog"


def run(path: str, mounts: Mapping[str, Mount], config: Config, ports: Ports, *, output: str) -> int:
    # Not resolved: that would ask the mount.
    path = os.path.abspath(path)
    kernel = MountTable()
    table = kernel.read()
    kernel.close()
    target = probe.find_target(path, table)
    mount, runtime = probe.choose_mount(target, mounts, table=table, runtime=RUNTIME_FOLDER)
    prober = MountProber(
        mount,
        config,
        clock=ports.clock,
        host=ports.host,
        runtime=runtime,
        samples=Remembered(STATE_ROOT / NAME / runtime.name / SAMPLES_FILE, KnownFiles, schema=SCHEMA, journal=ports.journal),
        folder=path,
    )
    found = probe.probe(path, mount, prober=prober, clock=ports.clock, config=config)
    click.echo(json.dumps(encode(found), indent=1) if output == "json" else "\n".join(describe(found)))
    if found.verdict is Verdict.UNKNOWN:
        return os.EX_TEMPFAIL
    return 0 if found.verdict.is_proven else FOUND_PROBLEMS


def describe(found: probe.Probed) -> Iterator[str]:
    where = "" if found.path == found.mount_point else f" (of the mount at {show_path(found.mount_point)})"
    yield f"{show_path(found.path)}{where}: {found.verdict.value}: {show_path(found.reason)}"
    for rung in found.rungs:
        took = "" if rung.latency_s is None else f"{rung.latency_s * 1000:.0f} ms"
        said = "" if rung.outcome == "seen" else f"{rung.outcome:8}"
        words = " ".join(word for word in (said, took, show_path(rung.detail), show_path(rung.about)) if word)
        yield f"  {rung.name:25}{words}"
    if found.stuck_pid:
        yield f"  the kernel holds our reader (pid {found.stuck_pid}) until the mount answers or is aborted"
