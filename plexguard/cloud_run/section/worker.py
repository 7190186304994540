"""The work on libraries, as it runs on the run's machine: by a plan that whoever leads the run has left, told in a file beside it.

It may be begun again at any time: what is done stays done.
"""

import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from plexguard.cloud_run.section import told
from plexguard.cloud_run.section.analyze import Analysis
from plexguard.cloud_run.section.inside import Inside
from plexguard.cloud_run.section.labour import insist
from plexguard.cloud_run.section.leave import Leaving
from plexguard.cloud_run.section.libraries import add_libraries
from plexguard.cloud_run.section.measure import measure
from plexguard.cloud_run.section.quiet import OFF, find_changes, find_former
from plexguard.cloud_run.section.scan import Scan
from plexguard.cloud_run.section.signals import Signals
from plexguard.cloud_run.section.told import Former, Plan, Told
from plexguard.cloud_run.section.tools import MachineTools
from plexguard.cloud_run.server.container import NAME, URL
from plexguard.core.errors import IoFailed, MissingInput, PlexguardError, TryAgain
from plexguard.core.plex import PlexControl, PlexDeclined
from plexguard.core.plex_http import HttpPlex
from plexguard.core.program import Ports
from plexguard.core.published import HOLD
from plexguard.core.secret import Secret
from plexguard.core.state import StateFile, make_folder
from plexguard.core.token import find_token

PLAN, TOLD, FORMER = "plan.json", "told.json", "settings.json"
_CALL_S = 30.0
# The token appears in Preferences.xml some seconds after the claim.
_TOKEN_S, _PAUSE_S = 180.0, 10.0
_FULL_S = 1800.0
# As long as a storage may be away.
_HELD_S = 2 * 3600.0


def work(task: str, folder: Path, ports: Ports) -> int:
    """Do a task by the plan in a folder, and return the exit code. What it raises is told in the file, too."""
    plan_file = StateFile(folder / PLAN, Plan, schema=told.SCHEMA, journal=ports.journal)
    file = StateFile(folder / TOLD, Told, schema=told.SCHEMA, journal=ports.journal)
    plan = plan_file.load()
    if plan is None:
        raise MissingInput(f"{folder / PLAN}: there is no plan to work by")
    before = file.load() or Told()
    telling = Telling(file, replace(before, is_over=False, failure="", hint=""))
    try:
        {"scan": scan, "analyze": analyze, "export": export, "sign-out": sign_out}[task](plan, telling, folder, ports)
    except PlexguardError as error:
        telling.end(replace(telling.told, is_over=True, failure=str(error), hint=error.hint), ports)
        return error.exit_code
    telling.end(replace(telling.told, is_over=True, line="done"), ports)
    return 0


def scan(plan: Plan, telling: "Telling", folder: Path, ports: Ports) -> None:
    """Raises what scanning and Plex raise."""
    plex = open_plex(plan, ports)
    hold_back(plex, folder, ports)
    if plan.is_measured and plan.point:
        telling.tell("measuring how fast the storage is")
        telling.save(telling.told.note("measured", "", measure(plan.point, ports.clock)))
    add_libraries(plan.libraries, plex, ports.clock)
    inside = find_inside(ports)
    signals, tools = open_signals(plan, plex, inside, ports), open_tools(plan, plex, inside, folder, ports)
    Scan(plan=plan, plex=plex, signals=signals, tools=tools, clock=ports.clock, told=telling.told, save=telling.save).run()


def analyze(plan: Plan, telling: "Telling", folder: Path, ports: Ports) -> None:
    """Raises what analysing and Plex raise."""
    plex = open_plex(plan, ports)
    # The settings as they were before the scan, where there was one.
    hold_back(plex, make_folder(Path(plan.former).parent), ports)
    inside = find_inside(ports)
    tools = open_tools(plan, plex, inside, folder, ports)
    Analysis(
        plan=plan,
        plex=plex,
        signals=open_signals(plan, plex, inside, ports),
        tools=tools,
        around=tools,
        clock=ports.clock,
        told=telling.told,
        save=telling.save,
    ).run()


def export(plan: Plan, telling: "Telling", folder: Path, ports: Ports) -> None:
    """Raises what packing raises. What is packed is not packed again: some of it may be at home already."""
    if telling.told.packed and all(Path(one.path).exists() for one in telling.told.packed):
        return
    leaving = Leaving(plan=plan, machine=ports.host, folder=folder / "packed", tell=telling.tell, note=telling.note)
    if leaving.is_running:
        former = StateFile(Path(plan.former), Former, schema=told.SCHEMA, journal=ports.journal).load() if plan.former else None
        if former is not None:
            leaving.set_back(open_plex(plan, ports), former)
        try:
            sign_out(plan, telling, folder, ports)
        except PlexguardError as error:
            telling.note(f"Plex could not be signed out, and stays in the account's list of servers: {error}")
        leaving.stop()
    counted, packed = leaving.count(), leaving.pack()
    telling.save(replace(telling.told, counted=counted, packed=packed))


def sign_out(plan: Plan, telling: "Telling", folder: Path, ports: Ports) -> None:
    """Have Plex belong to nobody: one whose machine is given back would stay in the account's list. Raises what Plex raises."""
    try:
        token = find_token((Path(plan.data) / "Preferences.xml").read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return
    if token is not None:
        HttpPlex(URL, token).sign_out(timeout_s=_CALL_S)


def open_plex(plan: Plan, ports: Ports) -> HttpPlex:
    return HttpPlex(URL, await_token(Path(plan.data) / "Preferences.xml", ports, is_claimed=plan.is_claimed))


def find_inside(ports: Ports) -> Inside:
    """Return what runs in Plex's container. Raises CommandError when the engine does not tell of it for long."""
    argv = ["docker", "container", "inspect", "--format={{.Id}}", "--", NAME]
    return Inside(insist(ports.clock, lambda: ports.host.run(argv, timeout_s=_CALL_S)).stdout.strip())


def open_signals(plan: Plan, plex: HttpPlex, inside: Inside, ports: Ports) -> Signals:
    database = f"{plan.data}/Plug-in Support/Databases/com.plexapp.plugins.library.db"
    return Signals(machine=ports.host, plex=plex, clock=ports.clock, export=plan.export, database=database, inside=inside)


def open_tools(plan: Plan, plex: HttpPlex, inside: Inside, folder: Path, ports: Ports) -> MachineTools:
    return MachineTools(plan=plan, machine=ports.host, plex=plex, inside=inside, clock=ports.clock, kept=folder / "kept")


class Telling:
    """What is told, and the file that it is told in."""

    def __init__(self, file: StateFile[Told], begun: Told) -> None:
        self._file = file
        self.told = begun

    def save(self, now: Told) -> None:
        self.told = now
        # A disk that is full for a minute ends no work of hours: it is told with the next line.
        with contextlib.suppress(IoFailed):
            self._file.save(now)

    def end(self, now: Told, ports: Ports) -> None:
        """Save what counts, for as long as a disk may be full. Raises IoFailed."""
        until_s = ports.clock.monotonic_s() + _FULL_S
        while True:
            try:
                self.told = now
                self._file.save(now)
                return
            except IoFailed:
                if ports.clock.monotonic_s() >= until_s:
                    raise
                ports.clock.sleep(_PAUSE_S)

    def tell(self, line: str) -> None:
        self.save(replace(self.told, line=line))

    def note(self, text: str) -> None:
        self.save(self.told.note("trouble", "", text))


def await_token(preferences: Path, ports: Ports, *, is_claimed: bool) -> Secret | None:
    """Return the token of the Plex here, None for one that belongs to nobody: it lets this machine in. is_claimed: it is to come.
    Raises TryAgain when there is no Preferences.xml."""
    until_s = ports.clock.monotonic_s() + _TOKEN_S
    while True:
        is_late = ports.clock.monotonic_s() >= until_s
        try:
            token = find_token(preferences.read_text(encoding="utf-8", errors="replace"))
            if token is not None or not is_claimed or is_late:
                return token
        except FileNotFoundError as error:
            if is_late:
                raise TryAgain(f"{preferences}: Plex has not written it yet") from error
        ports.clock.sleep(_PAUSE_S)


def await_free(ports: Ports) -> None:
    """Wait until no mount's watchdog holds Plex: it would set Plex as it was when it lets go, in the midst of the work. Raises
    TryAgain."""
    until_s = ports.clock.monotonic_s() + _HELD_S
    while (held := HOLD.look().record) is not None and held.holders:
        if ports.clock.monotonic_s() >= until_s:
            raise TryAgain(f"Plex is held for its mount, and not let go: {', '.join(held.holders)}")
        ports.clock.sleep(_PAUSE_S)


def hold_back(plex: PlexControl, folder: Path, ports: Ports) -> None:
    """Have Plex do nothing by itself, with what was set before written down first. Raises PlexDeclined when it does not obey."""
    await_free(ports)
    former = StateFile(folder / FORMER, Former, schema=told.SCHEMA, journal=ports.journal)
    seen = insist(ports.clock, lambda: plex.preferences(timeout_s=_CALL_S))
    if former.load() is None:
        former.save(Former(settings=find_former(seen, OFF)))
    for name, value in find_changes(seen, OFF).items():
        insist(ports.clock, partial(plex.set_preference, name, value, timeout_s=_CALL_S))
    if left := find_changes(insist(ports.clock, lambda: plex.preferences(timeout_s=_CALL_S)), OFF):
        raise PlexDeclined(f"Plex does not hold what it was told to: {', '.join(left)}")
