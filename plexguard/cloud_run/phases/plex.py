"""Plex on the run's machine: prepare() brings the image there, work() starts it and waits until it is ready.

Between both a person may be asked for a claim token, by another: it lives four minutes, and a pull takes longer.
"""

import contextlib
import os
from datetime import timedelta
from pathlib import Path

from plexguard.cloud_run import events
from plexguard.cloud_run.phases.following import leave_plan
from plexguard.cloud_run.phases.mount import find_media
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.section.told import Plan
from plexguard.cloud_run.server import claim, container
from plexguard.cloud_run.server.claim import ACCOUNT_CREDENTIAL, CLAIM_PAGE, Mailbox, NotClaimed, Source
from plexguard.cloud_run.server.container import EngineRefused, Found, NoEngine, Wanted
from plexguard.cloud_run.server.engine import Engine
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.server.plex_tv import fetch_claim
from plexguard.cloud_run.storage.protect import protect
from plexguard.cloud_run.there.remote_files import put
from plexguard.core.errors import PlexguardError, Unavailable
from plexguard.core.host import Commands
from plexguard.core.notify import one_line
from plexguard.core.program import FOUND_PROBLEMS
from plexguard.core.secret import Secret, read_credential
from plexguard.core.spans import show_span

_ASK_S = 20.0
_LOOK_S = 5.0
# A machine that is out of reach keeps nobody from being given back.
_RELEASE_S = 30.0
_SIGN_OUT_S, _STOP_S = 60.0, 120.0
# A database of 15 GB may be brought up to date first; at home there is none that large.
_READY, _READY_HERE = timedelta(minutes=15), timedelta(minutes=5)
# The token appears some seconds after Plex answers.
_CLAIMED, _CLAIMED_HERE = timedelta(minutes=3), timedelta(minutes=2)
_LOCALTIME = Path("/etc/localtime")


class NotReady(Unavailable):
    """Plex did not become ready in time."""


def prepare(run: Work) -> None:
    """Bring the image and make the folders, and say whether somebody is to be asked. Raises EngineRefused, and what the machine
    raises."""
    image = run.book.state.image or container.choose_image(run.file.image, "")
    with run.machine() as machine:
        engine = Engine(machine)
        if not engine.has_image(image):
            run.tell(f"pulling {image}")
            engine.pull(image, run.ports.clock)
        if _is_running(run, engine.find()):
            source = Source.NONE
        else:
            engine.make_folders(image, run.lease.label)
            source = _choose_source(run, engine, image)
    mailbox = Mailbox(claim.runtime_folder(run.name))
    mailbox.clear()
    if source is Source.PERSON:
        mailbox.want()
    run.tell("waiting for a claim token" if source is Source.PERSON else f"{image} is there")


def work(run: Work) -> None:
    """Raises EngineRefused, NotClaimed, NotReady, and what the machine and plex.tv raise."""
    image = run.book.state.image or container.choose_image(run.file.image, "")
    with run.machine() as machine:
        engine = Engine(machine)
        found = engine.find()
        try:
            if not _is_running(run, found):
                if found is not None:
                    engine.remove()  # of this run, and ended, or of one before it
                _start(run, machine, engine, image)
            Mailbox(claim.runtime_folder(run.name)).clear()
            version = _await_ready(run, engine)
        finally:
            _forget_claim(run, machine)
        _protect(run, machine)
        run.tell(f"ready: Plex {version}".rstrip())


def _is_running(run: Work, found: Found | None) -> bool:
    """Tell whether the container of this very lease is there and runs. Raises EngineRefused when one of others has its name."""
    label = run.lease.label
    if found is None:
        return False
    if not _is_of_run(found, label):
        raise EngineRefused(
            f"There is a container called {container.NAME} that is not of this run, and it is left alone",
            hint=f"docker rename {container.NAME} NAME, there",
        )
    return found.label == label and found.status == "running"


def _is_of_run(found: Found, label: Label) -> bool:
    """Tell whether a container is of the run of a label, be it of another lease."""
    return found.label is not None and (found.label.owner, found.label.run) == (label.owner, label.run)


def _start(run: Work, machine: Commands, engine: Engine, image: str) -> None:
    token = _take_claim(run, _choose_source(run, engine, image))
    folder = str(claim.runtime_folder(run.name) / "container") if token is not None else ""
    if token is not None:
        run.tell(f"starting {image}, with a claim token of {len(token.reveal())} characters")
        machine.run(["install", "-d", "-m", "0700", folder], timeout_s=_ASK_S)
        put(machine, token.reveal().encode("ascii"), f"{folder}/{container.CLAIM_FILE}")
    else:
        run.tell(f"starting {image}")
    choice = run.book.state.choice
    limits = choice.limits if run.file.limited and choice is not None else None
    # As the phase before has mounted it; a run that names no mount has its media there anyway.
    media = find_media(run)
    engine.start(
        Wanted(
            image=image,
            label=run.lease.label,
            limits=limits,
            zone=_read_zone(_LOCALTIME),
            media=media.point if media is not None else run.file.media,
            claim_folder=folder,
            is_open=run.file.claim == "never",
        )
    )


def _choose_source(run: Work, engine: Engine, image: str) -> Source:
    return claim.choose_source(
        run.file.claim,
        has_identity=engine.has_identity(image, run.lease.label),
        has_account=read_credential(ACCOUNT_CREDENTIAL) is not None,
    )


def _take_claim(run: Work, source: Source) -> Secret | None:
    """Return the claim token, None where none is needed. Raises NotClaimed, and what plex.tv raises."""
    if source is Source.NONE:
        return None
    if source is Source.ACCOUNT:
        account = read_credential(ACCOUNT_CREDENTIAL)
        return fetch_claim(Secret(account or ""), run.ports.clock)
    mailbox = Mailbox(claim.runtime_folder(run.name))
    token = mailbox.take()
    if token is None:
        raise NotClaimed(
            f"Nobody gave a claim token within {show_span(run.file.claim_timeout)}: "
            f"start it from a terminal, with one of {CLAIM_PAGE} at hand, or let it have an account's token",
            hint=f"systemctl start plexguard-cloud-run@{run.name}, on a terminal; "
            f"or: install -m 600 /dev/stdin /etc/plexguard/credentials/{ACCOUNT_CREDENTIAL}",
        )
    return token


def _protect(run: Work, machine: Commands) -> None:
    """Have Plex be held while its media are not proven; on this machine home's own watchdog does."""
    media = find_media(run)
    if media is not None and run.config.provider != "local":
        clock, limit_s = run.ports.clock, run.file.mount_timeout.total_seconds()
        protect(machine, Place(run.lease.label), media, clock=clock, tell=run.tell, limit_s=limit_s)


def _await_ready(run: Work, engine: Engine) -> str:
    """Return the version of the Plex that is ready. Raises NotClaimed and NotReady."""
    clock, is_here = run.ports.clock, run.config.provider == "local"
    limit, claimed_limit = (_READY_HERE, _CLAIMED_HERE) if is_here else (_READY, _CLAIMED)
    is_claimed = run.file.claim != "never"
    deadline_s = clock.monotonic_s() + limit.total_seconds()
    unclaimed_s: float | None = None
    told = ""
    while True:
        look = engine.look()
        lacking = container.find_lacking(look, is_claimed=is_claimed)
        if not lacking:
            return look.identity.version if look.identity is not None else ""
        if lacking != told:
            run.tell(f"not ready yet: {lacking}")
            told = lacking
        now_s = clock.monotonic_s()
        if container.is_unclaimed(look, is_claimed=is_claimed):
            unclaimed_s = now_s if unclaimed_s is None else unclaimed_s
            if now_s - unclaimed_s >= claimed_limit.total_seconds():
                raise NotClaimed(
                    f"Plex is up and did not take the claim token within {show_span(claimed_limit)}; its log:\n{engine.read_log()}",
                    hint=f"begin anew with another token of {CLAIM_PAGE}; images before 1.31 take none from a file",
                )
        if now_s >= deadline_s:
            raise NotReady(f"Plex is not ready after {show_span(limit)}: {lacking}; its log:\n{engine.read_log()}")
        clock.sleep(_LOOK_S)


def _forget_claim(run: Work, machine: Commands) -> None:
    folder = claim.runtime_folder(run.name) / "container"
    machine.run(["rm", "-rf", "--", str(folder)], timeout_s=_ASK_S)


def _sign_out(machine: Commands, place: Place) -> None:
    """Have Plex leave its account, which would list it for ever. One that does not is stopped all the same."""
    with contextlib.suppress(PlexguardError):
        if machine.run(["grep", "-q", 'PlexOnlineToken="[^"]', place.preferences], timeout_s=_ASK_S, check=False).code != 0:
            return
        folder = leave_plan(machine, place, "sign-out", Plan(data=place.data, export=place.program("db-export")))
        machine.run([*place.program("cloud-run"), "work", "sign-out", folder], timeout_s=_SIGN_OUT_S, check=False)


def _read_zone(localtime: Path) -> str:
    """Return the time zone of this machine by its name, "" when it has none."""
    try:
        return os.readlink(localtime).partition("/zoneinfo/")[2]
    except OSError:
        return ""


def release(run: Work) -> int:
    """Stop Plex, and return the exit code. On a shutdown of this machine it goes on: the run is taken up again at boot."""
    read = run.world.leases.read(run.name)
    if read is None or read.lease is None or run.is_shut_down:
        return 0
    Mailbox(claim.runtime_folder(run.name)).clear()
    run.ports.notifier.tell("STATUS=stopping Plex")
    try:
        with run.machine(patience_s=_RELEASE_S) as machine:
            engine, place = Engine(machine), Place(read.lease.label)
            # What works on libraries would start Plex again to put one back.
            machine.run(["systemctl", "stop", place.job_units], timeout_s=_STOP_S, check=False)
            found = engine.find()
            if found is not None and _is_of_run(found, read.lease.label):
                if found.status == "running":
                    _sign_out(machine, place)
                engine.stop(and_remove=not read.lease.keep)
            _forget_claim(run, machine)
    except NoEngine:
        return 0  # so nothing runs in it
    except PlexguardError as error:
        run.ports.journal.send(events.PLEX_LEFT, run=run.name, zone=read.lease.zone, reason=one_line(str(error)))
        # What is rented goes with all that runs on it.
        return 0 if run.world.provider.is_rented else FOUND_PROBLEMS
    return 0
