"""What happens of an evening: each trouble of the suite's parts that one machine can have in turn, what is to be told of it, and what may be done."""

import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.machine import Machine
from tests.machine.managers import connects, flush_address
from tests.machine.network import Fault, Lan
from tests.system.conftest import await_event, events, install_again
from tests.system.mount_faults import ALL, WITH_CACHE, find_wrongs, meet
from tests.system.mounting import Stand
from tests.system.native_plex import FILMS, UNIT, URL, ask_plex, curl, list_films, play_film, set_plex

# Of Plex, within 24 hours.
MOST_RESTARTS = 2
RESTART = frozenset({"plex.restart-asked", "plex.restarting", "plex.restarted"})
# What somebody may notice. All else that is told is no action.
ACTIONS = RESTART | {"mount.remounting", "net.step", "reboot.rebooting", "trash.emptied"}
# Who takes what is told (tests/fakes/inbox.py), and what it answers.
TAKEN, ANSWER = "/srv/house/taken.jsonl", "/srv/house/answer"
_WATCHERS = ("notify", "log-watch", "proxy-breaker", "perms-guard", "rclone-watchdog@media", "status", "proxy")
# The manager asks these whether they still work.
_ASKED = ("notify", "log-watch", "proxy-breaker", "perms-guard", "rclone-watchdog@media")
_PATIENCE_S = 180.0
# An outage with no restart left lasts so long after it is told: longer than a restart takes to be asked for and made.
_UNHELPED_S = 30.0
# What was repaired and is closed again is left alone for an hour.
_numbers = itertools.count(10)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """play: makes it, waits for its end, and returns what was wrong by its own judgement. tells: the events that are to be told once each;
    does: the actions that are right. crashes: whether what was sent just then may be sent again. every: in each so-many-th round."""

    name: str
    play: Callable[[Stand], list[str]]
    tells: frozenset[str] = frozenset()
    does: frozenset[str] = frozenset()
    crashes: bool = False
    every: int = 1


def troubles(chosen: random.Random, lan: Lan, deb: Path) -> list[Trouble]:
    """Return all of them once; chosen: says which of several services it is."""
    watcher, asked = (f"plexguard-{chosen.choice(names)}.service" for names in (_WATCHERS, _ASKED))
    answer = chosen.choice(("500", "503", "hang"))
    return [
        Trouble(
            name="Plex hangs", play=_outage("plex.hung", "hung"), tells=frozenset({"plex.hung", "plex.recovered"}), does=RESTART
        ),
        Trouble(
            name="Plex refuses",
            play=_outage("plex.down", "refusing"),
            tells=frozenset({"plex.down", "plex.recovered"}),
            does=RESTART,
        ),
        Trouble(name="Plex is silent for 6 s", play=_stutter),
        Trouble(name="Plex crashes", play=_crash),
        Trouble(name="Plex is slow", play=_told("plex.degraded", mode="slow", delay_s="0.8"), tells=_pair("plex.degraded")),
        Trouble(
            name="Plex's database is held",
            play=_told("plex.database-blocked", mode="database-blocked"),
            tells=_pair("plex.database-blocked"),
        ),
        Trouble(name="Plex answers with errors", play=_told("plex.erroring", mode="error"), tells=_pair("plex.erroring")),
        Trouble(name="Plex maintains", play=_told("plex.maintenance", mode="maintenance"), tells=_pair("plex.maintenance")),
        Trouble(name="Plex is stopped on purpose", play=_stop_plex, tells=frozenset({"plex.stopped"})),
        Trouble(name="a film comes closed", play=_bring_closed, tells=frozenset({"perms.repaired"})),
        Trouble(
            name="nobody takes what is told",
            play=lambda stand: _lose_channel(stand, answer),
            tells=frozenset({"notify.channel-failed", "notify.channel-recovered"}),
        ),
        Trouble(
            name="a service is killed", play=lambda stand: _kill(stand, watcher), tells=frozenset({"unit.failed"}), crashes=True
        ),
        Trouble(
            name="a service stands still",
            play=lambda stand: _halt(stand, asked),
            tells=frozenset({"unit.failed"}),
            crashes=True,
            every=2,
        ),
        Trouble(name="journald is started anew", play=_does("systemctl", "restart", "systemd-journald.service")),
        Trouble(name="the journal is rotated", play=_does("journalctl", "--rotate")),
        Trouble(name="the configuration is applied", play=_does("plexguard-status", "apply")),
        Trouble(
            name="the database is exported",
            play=_does("systemctl", "start", "plexguard-db-export.service"),
            tells=frozenset({"database.exported"}),
        ),
        Trouble(name="the package is installed again", play=lambda stand: _install(stand, deb), every=3),
        Trouble(name="the machine is rebooted", play=_reboot, crashes=True, every=3),
        Trouble(name="the power is cut", play=_cut_power, crashes=True, every=3),
        Trouble(
            name="the address is lost",
            play=_lose_address,
            tells=frozenset({"net.lost", "net.recovered"}),
            does=frozenset({"net.step"}),
        ),
        Trouble(
            name="the internet is away",
            play=lambda stand: _lose_internet(stand, lan),
            tells=frozenset({"net.lost", "net.left-alone", "net.recovered"}),
        ),
        *(
            Trouble(
                name=fault.name,
                play=lambda stand, fault=fault: find_wrongs(meet(stand, fault)),  # type: ignore[misc]
                # While it lasts, find_wrongs() says whether it is right; after that, somebody may still wait for what was asked in it.
                does=frozenset({"mount.remounting"}),
            )
            # A cache would hide from Plex what the others are about.
            for fault in ALL
            if fault not in WITH_CACHE
        ),
    ]


# Plex


def _pair(name: str) -> frozenset[str]:
    return frozenset({name, "plex.recovered"})


def _outage(name: str, mode: str) -> Callable[[Stand], list[str]]:
    """An outage that a restart cures; without one left for today it is told, and lasts until somebody comes."""

    def play(stand: Stand) -> list[str]:
        machine, since = stand.machine, stand.machine.cursor()
        before = len(events(machine, "plex.restarting"))
        set_plex(machine, mode=mode)
        if before >= MOST_RESTARTS:
            # That a restart is refused is told once an hour only.
            await_event(machine, name, since_cursor=since, timeout_s=_PATIENCE_S)
            time.sleep(_UNHELPED_S)
            set_plex(machine, mode="healthy")
        await_event(machine, "plex.recovered", since_cursor=since, timeout_s=_PATIENCE_S)
        restarted = len(events(machine, "plex.restarting")) - before
        right = 0 if before >= MOST_RESTARTS else 1
        return [] if restarted == right else [f"restarted {restarted} times, with {before} before"]

    return play


def _told(name: str, **switches: str) -> Callable[[Stand], list[str]]:
    """A trouble of Plex that is told and left alone, until it is over by itself."""

    def play(stand: Stand) -> list[str]:
        since = stand.machine.cursor()
        set_plex(stand.machine, **switches)
        await_event(stand.machine, name, since_cursor=since, timeout_s=_PATIENCE_S)
        set_plex(stand.machine, mode="healthy")
        await_event(stand.machine, "plex.recovered", since_cursor=since, timeout_s=_PATIENCE_S)
        return []

    return play


def _stutter(stand: Stand) -> list[str]:
    set_plex(stand.machine, mode="hung")
    time.sleep(6)
    set_plex(stand.machine, mode="healthy")
    return []


def _crash(stand: Stand) -> list[str]:
    """The service manager itself starts it again."""
    stand.machine.systemctl("kill", "--signal=KILL", UNIT)
    _await_plex(stand.machine)
    return []


def _stop_plex(stand: Stand) -> list[str]:
    since = stand.machine.cursor()
    stand.machine.systemctl("stop", UNIT)
    await_event(stand.machine, "plex.stopped", since_cursor=since, timeout_s=_PATIENCE_S)
    stand.machine.systemctl("start", UNIT)
    _await_plex(stand.machine)
    return []


def _await_plex(machine: Machine) -> None:
    machine.wait_for(lambda: ask_plex(machine, "/identity", url=URL), timeout_s=_PATIENCE_S, what="Plex answers")


# Files, and what is told of them


def _bring_closed(stand: Stand) -> list[str]:
    machine, name = stand.machine, f"Film {next(_numbers)} (2010)"
    film = f"{FILMS}/{name}/{name}.mkv"
    machine.run(["mkdir", f"{FILMS}/{name}"])
    machine.write(film, "film\n" * 100)
    curl(machine, f"{URL}/library/sections/1/refresh")
    machine.wait_for(lambda: film in list_films(machine), timeout_s=60, what=f"Plex knows {name}")
    machine.run(["chmod", "000", film])
    machine.wait_for(lambda: play_film(machine, film) == 200, timeout_s=60, what=f"{name} plays")
    return []


def _lose_channel(stand: Stand, answer: str) -> list[str]:
    since = stand.machine.cursor()
    stand.machine.write(ANSWER, answer)
    _bring_closed(stand)
    await_event(stand.machine, "notify.channel-failed", since_cursor=since, timeout_s=_PATIENCE_S)
    stand.machine.run(["rm", ANSWER])
    await_event(stand.machine, "notify.channel-recovered", since_cursor=since, timeout_s=_PATIENCE_S)
    return []


# The services and the machine


def _kill(stand: Stand, unit: str) -> list[str]:
    before = _pid(stand.machine, unit)
    stand.machine.systemctl("kill", "--kill-who=main", "--signal=KILL", unit)
    _await_new(stand.machine, unit, before)
    return []


def _halt(stand: Stand, unit: str) -> list[str]:
    """Stop a service as SIGSTOP does: it is there, and does nothing any more."""
    before = _pid(stand.machine, unit)
    stand.machine.systemctl("kill", "--kill-who=main", "--signal=STOP", unit)
    _await_new(stand.machine, unit, before)
    return []


def _pid(machine: Machine, unit: str) -> str:
    machine.wait_for(lambda: machine.unit(unit)["MainPID"] != "0", timeout_s=60, what=f"{unit} runs")
    return machine.unit(unit)["MainPID"]


def _await_new(machine: Machine, unit: str, before: str) -> None:
    def is_new() -> bool:
        found = machine.unit(unit)
        return found["MainPID"] not in ("0", before) and found["ActiveState"] == "active"

    machine.wait_for(is_new, timeout_s=_PATIENCE_S, what=f"{unit} is at work again")


def _does(*argv: str) -> Callable[[Stand], list[str]]:
    def play(stand: Stand) -> list[str]:
        done = stand.machine.run(argv, check=False, timeout_s=_PATIENCE_S)
        return [] if done.returncode == 0 else [f"{argv[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"]

    return play


def _install(stand: Stand, deb: Path) -> list[str]:
    pid = stand.rclone_pid
    install_again(stand.machine, deb)
    _await_proof(stand)
    return [] if stand.rclone_pid == pid else ["rclone was started anew"]


def _reboot(stand: Stand) -> list[str]:
    stand.machine.reboot()
    return _await_boot(stand)


def _cut_power(stand: Stand) -> list[str]:
    stand.machine.cut_power()
    stand.machine.boot()
    return _await_boot(stand)


def _await_boot(stand: Stand) -> list[str]:
    _await_proof(stand)
    _await_plex(stand.machine)
    stand.machine.wait_for(lambda: connects(stand.machine, "1.1.1.1"), timeout_s=_PATIENCE_S, what="network")
    return []


def _await_proof(stand: Stand) -> None:
    stand.machine.wait_for(lambda: stand.proven_for_s() > 0, timeout_s=_PATIENCE_S, what="the mount is proven")


# The network


def _lose_address(stand: Stand) -> list[str]:
    # What an hour may take of it is for people who are not in such a hurry.
    stand.machine.run(["plexguard-net-recover", "--reset-budget"])
    since = stand.machine.cursor()
    flush_address(stand.machine)
    await_event(stand.machine, "net.recovered", since_cursor=since, timeout_s=_PATIENCE_S)
    return [] if connects(stand.machine, "1.1.1.1") else ["the network is not back"]


def _lose_internet(stand: Stand, lan: Lan) -> list[str]:
    since = stand.machine.cursor()
    lan.cause(Fault.UPSTREAM)
    try:
        await_event(stand.machine, "net.left-alone", since_cursor=since, timeout_s=_PATIENCE_S)
    finally:
        lan.mend(Fault.UPSTREAM)
    await_event(stand.machine, "net.recovered", since_cursor=since, timeout_s=_PATIENCE_S)
    return []
