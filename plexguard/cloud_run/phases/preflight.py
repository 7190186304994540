"""What can be known before money is spent: which machine, for how much, from which image. Nothing is rented.

A run that a boot has cut off is taken up here again: it has a machine, and needs none chosen.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from plexguard.cloud_run import events
from plexguard.cloud_run.choosing.choose import Planned
from plexguard.cloud_run.choosing.planning import plan_affordable, tell_choice
from plexguard.cloud_run.life.run_file import NONE
from plexguard.cloud_run.life.runs import keep_run
from plexguard.cloud_run.phases.mount import find_media, find_storages, read_storages
from plexguard.cloud_run.phases.work import Work
from plexguard.cloud_run.reference.compare import Held, find_lacking, find_shares, list_storage, refuse_lacking, suggest
from plexguard.cloud_run.reference.find import Reference, find_reference
from plexguard.cloud_run.reference.libraries import ask_home, refuse_unknown
from plexguard.cloud_run.rent.labels import make_label
from plexguard.cloud_run.rent.money import show_euros
from plexguard.cloud_run.rent.owner import find_owner
from plexguard.cloud_run.server.container import MEDIA, choose_image
from plexguard.cloud_run.storage.choose import Media
from plexguard.core.errors import SystemRefused, TryAgain, Unavailable
from plexguard.core.found import Server, read_plex
from plexguard.core.journal import Journal
from plexguard.core.plex import NewLibrary, PlexError
from plexguard.core.plex_http import HttpPlex

_HOME_TIMEOUT_S = 10.0
_CLOCKS_APART = timedelta(minutes=10)


def work(run: Work) -> None:
    """Raises TooDear, TryAgain when what an earlier run of that name held is not given back, and what the provider raises."""
    if _take_up(run):
        return
    # As it would be if it were rented now.
    label = make_label(owner=find_owner(run.config.owner), run=run.name, deadline=run.ports.clock.now() + run.file.limit)
    run.book.open(deadline=label.deadline)
    keep_run(run.name, run.book.folder)
    run.book.begin("preflight")
    media = find_media(run)
    if media is not None and run.config.provider != "local":
        read_storages(media)  # what cannot be carried there is known now
    run.tell("looking for a machine")
    planned = plan_affordable(run.name, run.file, run.config, run.world.provider)
    choice = planned.choice
    at = run.world.provider.check(choice.zone, choice.offer.type, is_local_disk=choice.is_local_disk)
    if at is not None:
        _refuse_wrong_clock(at, run.ports.clock.now())
    image = choose_image(run.file.image, "" if run.file.image else _find_home_version(run.ports.journal))
    libraries = _find_libraries(run, media)
    reference = _find_reference(run, media)
    tell_choice(run.name, run.file, planned.choice, run.ports.journal)
    run.book.change(
        choice=choice,
        image=image,
        reference=reference.path,
        server=reference.server,
        libraries=libraries,
        hourly_euros=planned.estimate.hourly,
    )
    run.tell(f"{_show(planned)}; Plex is {image}")


def release(run: Work) -> int:
    """Do nothing: it holds nothing. It is called at the end of every run, and that suffices."""
    return 0


def _refuse_wrong_clock(theirs: datetime, ours: datetime) -> None:
    """Raise SystemRefused where this machine's clock is another than that of whoever bills: deadlines are written by the one, and
    judged by the other."""
    if abs(ours - theirs) > _CLOCKS_APART:
        raise SystemRefused(
            f"this machine's clock says {ours:%Y-%m-%d %H:%M} UTC, and the provider's {theirs:%Y-%m-%d %H:%M}", hint="timedatectl"
        )


def _take_up(run: Work) -> bool:
    """Take up a run whose machine is still there since an earlier boot, and return whether there is one."""
    with run.world.leases.hold(run.name):
        read, state, now = run.world.leases.read(run.name), run.book.peek(), run.ports.clock.moment()
        if read is None:
            return False
        lease = read.lease
        if lease is None or state is None or lease.deadline != state.deadline or now.is_of_boot_of(lease.made):
            raise TryAgain(
                f"what it rented before is not given back yet{f': {read.why}' if read.why else ''}",
                hint=f"plexguard-cloud-run destroy {run.name}",
            )
        # Of this boot from now on: it is held by what runs here, and by nothing else.
        run.world.leases.save(replace(lease, made=now))
    run.book.begin("preflight")
    run.book.change(resumed=state.resumed + 1)
    run.ports.journal.send(events.RUN_RESUMED, run=run.name, zone=lease.zone, phase=state.phase)
    return True


def _find_home_version(journal: Journal) -> str:
    """Return the version of Plex at home, "" where there is none. Raises Unavailable when there is one and it does not tell."""
    found = read_plex(journal)
    if found is None or found.server is Server.NONE or not found.url:
        return ""
    try:
        return HttpPlex(found.url, None, owners=found.owners).identity(timeout_s=_HOME_TIMEOUT_S).version
    except PlexError as error:
        raise Unavailable(
            f"Plex at home does not tell its version, which the one in the cloud must have: {error}",
            hint='start it, or name an image in the run\'s file, such as image = "plexinc/pms-docker:latest"',
        ) from error


def _find_reference(run: Work, media: Media | None) -> Reference:
    """Return the archive that the run begins with, without a path for none: verified, and of what is there. Raises NoReference,
    BadReference, TooFewThere, and what asking for all that raises."""
    if run.file.database != NONE:
        run.tell("looking for an archive of Plex's database, and verifying it")
    reference = find_reference(run.file.database, run.ports.host, run.ports.manager)
    if reference is None:
        return Reference(path="", made="")
    storages = find_storages(media) if media is not None and media.remote else None
    if media is not None and storages is not None:
        _compare(run, reference, media.remote, storages)
    return reference


def _find_libraries(run: Work, media: Media | None) -> tuple[NewLibrary, ...]:
    """Return the libraries that the run makes. Raises what ask_home() does, and DataError for one that is not among them."""
    wanted = run.file.libraries
    if not wanted:
        return ()
    libraries = ask_home(run.ports.journal, media.home if media is not None else "") if isinstance(wanted, str) else wanted
    refuse_unknown(libraries, run.file.sections)
    return libraries


def _compare(run: Work, reference: Reference, remote: str, storages: Path) -> None:
    run.tell(f"listing {remote}")
    folder = run.book.folder
    listing = folder / "listing.json"
    try:
        files = list_storage(run.ports.host, remote, storages, listing, run.ports.clock)
        run.tell(f"looking for what the database knows among {files:,} files")
        held = Held(archive=reference.path, listing=listing, below=MEDIA, mappings=run.file.mappings)
        shares = find_shares(run.ports.host, held)
        run.ports.journal.send(events.PATHS_COMPARED, run=run.name, archive=reference.path, shares="; ".join(map(str, shares)))
        if find_lacking(shares, least_percent=run.file.min_present):
            suggested = suggest(run.ports.host, held, folder / "mappings.json")
            refuse_lacking(shares, least_percent=run.file.min_present, mappings=suggested)
    finally:
        listing.unlink(missing_ok=True)


def _show(planned: Planned) -> str:
    choice = planned.choice
    return f"{choice.offer.type} in {choice.zone}, {show_euros(planned.estimate.total)} EUR at the most"
