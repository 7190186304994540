"""Machines for the system tests: the built package, installed; with a native Plex beside it, or a Docker engine."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import DOCKER, READY, Layer, Machine, can_run, installed
from tests.system import native_plex

DEB = Path(__file__).parent.parent.parent / "build/deb/plexguard_all.deb"
# Probes quicker than the default of 30 s, so that a test sees several of them.
QUICK = '[plex-probe]\ninterval = "5s"\n'


@pytest.fixture(scope="session", autouse=True)
def _machines_can_run() -> None:
    reason = can_run()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"machine tests cannot run here: {reason}")
    if reason:
        pytest.skip(f"NO MACHINE TEST IS RUN: {reason}")


@pytest.fixture(scope="session")
def deb() -> Path:
    if not DEB.exists():
        pytest.fail(f"{DEB}: build it first: make deb")
    return DEB.resolve()


@pytest.fixture
def bare() -> Iterator[Machine]:
    """A machine with what the package depends on, but not the package."""
    with Machine(READY) as machine:
        yield machine


@pytest.fixture
def machine(deb: Path) -> Iterator[Machine]:
    """A machine with the package and no Plex."""
    with Machine(installed(READY, deb)) as machine:
        yield machine


@pytest.fixture
def plex_machine(deb: Path) -> Iterator[Machine]:
    """A machine with the package and a native Plex with three films, found by plexguard."""
    with Machine(with_native_plex(deb)) as machine:
        await_found(machine)
        yield machine


@pytest.fixture
def docker_machine(deb: Path) -> Iterator[Machine]:
    with Machine(installed(DOCKER, deb)) as machine:
        yield machine


def with_native_plex(deb: Path, suite: str = "bookworm", *packages: str) -> Layer:
    simulator = [*sorted(native_plex.SIMULATOR.glob("*")), Path(native_plex.__file__)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in simulator if file.is_file())).hexdigest()
    return Layer(
        installed(READY.on(suite).with_packages(*packages), deb), key=f"native plex {digest}", prepare=_prepare_native_plex
    )


def _prepare_native_plex(machine: Machine) -> None:
    machine.run(["mkdir", "-p", native_plex.FILMS])
    native_plex.install_plex(machine)


def await_found(machine: Machine) -> None:
    machine.wait_for(
        lambda: native_plex.FILMS in machine.run(["cat", "/run/plexguard/plex.json"], check=False).stdout,
        timeout_s=30,
        what="plexguard finds Plex and its library",
    )


def install_again(machine: Machine, deb: Path) -> None:
    """As an upgrade does it: apt does nothing about a package that is there."""
    machine.push(deb, f"/tmp/{deb.name}")
    machine.run(["apt-get", "install", "-y", "--reinstall", "--no-install-recommends", f"/tmp/{deb.name}"], timeout_s=180)


def configure(machine: Machine, text: str, *, name: str = "50-test.toml") -> None:
    """Give the machine a drop-in and apply it, as an administrator does."""
    machine.write(f"/etc/plexguard/plexguard.toml.d/{name}", text)
    machine.run(["plexguard-status", "apply"])


def events(machine: Machine, name: str, *, since_cursor: str | None = None) -> list[dict[str, str]]:
    """Return the events of a name, oldest first."""
    return machine.journal(matches=[f"PLEXGUARD_EVENT={name}"], since_cursor=since_cursor)


def await_event(machine: Machine, name: str, *, timeout_s: float, since_cursor: str | None = None) -> dict[str, str]:
    found = machine.wait_for(lambda: events(machine, name, since_cursor=since_cursor), timeout_s=timeout_s, what=f"event {name}")
    return found[-1]


def mode_of(machine: Machine, path: str) -> int:
    return int(machine.run(["stat", "-c", "%a", "--", path]).stdout, 8)


def explain(machine: Machine, name: str) -> str:
    """Return what `journalctl -x` tells of an event, as running text."""
    lines = machine.journal_text("-x", f"PLEXGUARD_EVENT={name}").splitlines()
    return " ".join(" ".join(line.removeprefix("░░") for line in lines if line.startswith("░░")).split())


def assert_clean_journal(machine: Machine, *, allowed: tuple[str, ...] = ()) -> None:
    """Nothing at warning or above from plexguard or about its units, but the named events."""
    entries = machine.journal(matches=["PRIORITY=0", "PRIORITY=1", "PRIORITY=2", "PRIORITY=3", "PRIORITY=4"])
    ours = [
        e for e in entries if "plexguard-" in f"{e.get('UNIT', '')} {e.get('_SYSTEMD_UNIT', '')} {e.get('SYSLOG_IDENTIFIER', '')}"
    ]
    unexpected = [e["MESSAGE"] for e in ours if e.get("PLEXGUARD_EVENT") not in allowed]
    assert not unexpected, unexpected
