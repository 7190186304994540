"""`apply`: put an archive in place of the databases of a Plex that runs, and see that it is well after."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plexguard.core import program
from plexguard.core.program import Ports
from plexguard.db_export.arguments import data_option, find_plex_data
from plexguard.db_export.commands.which import Which
from plexguard.db_export.config import Config
from plexguard.db_export.remote.carried import Carried

if TYPE_CHECKING:  # --help needs no more than names
    from plexguard.core.found import FoundPlex
    from plexguard.core.plex import Plex
    from plexguard.db_export.apply.health import Health
    from plexguard.db_export.apply.judge import Change
    from plexguard.db_export.apply.server import Runner
    from plexguard.db_export.database.files import PlexData
    from plexguard.db_export.restore.act import Restored

_LOOK_S = 60.0
_ASK_S = 10.0
_PAUSE_S = 2.0


@click.command()
@click.argument("archive", metavar="ARCHIVE", type=Carried(path_type=Path))
@click.option("--merge-watch-state", "merges", is_flag=True, help="Carry over what users did since then.")
@click.option("--mappings", metavar="FILE", type=Carried(path_type=Path), help="Then write the paths that the files have here.")
@click.option("--server", "server_id", metavar="ID", default="", help="Only where this is the server's id.")
@click.option("--min-present", metavar="%", type=click.IntRange(0, 100), default=90, show_default=True, help="Of its files.")
@click.option("--most-loss", metavar="%", type=click.IntRange(0, 100), default=5, show_default=True, help="Of a library's items.")
@click.option("--now", "is_now", is_flag=True, help="Also while somebody is watching.")
@click.option("--url", metavar="URL", default="", help="Where that Plex answers.")
@data_option
@program.format_option
@click.pass_obj
def apply(config_path: Path, archive: Path, data: Path | None, url: str, output: str, **wanted: Any) -> int:
    """Apply an archive to a Plex that runs, and see it well."""
    config, ports = program.load_config(config_path, Config), program.open_ports(Config.SECTION)
    place, found = find_plex_data(data, config, ports)
    return Applying(place, found, archive, config, ports, url=url, **wanted).run(output=output)


class Applying:
    """One archive for one Plex."""

    def __init__(
        self,
        data: "PlexData",
        found: "FoundPlex | None",
        archive: Path,
        config: Config,
        ports: Ports,
        *,
        merges: bool = False,
        mappings: Path | None = None,
        server_id: str = "",
        min_present: int = 90,
        most_loss: int = 5,
        is_now: bool = False,
        url: str = "",
    ) -> None:
        self.data, self.found, self.archive, self.config, self.ports = data, found, archive, config, ports
        self.merges, self.mappings, self.server_id, self.is_now = merges, mappings, server_id, is_now
        self.min_present, self.most_loss, self.url = min_present, most_loss, url
        self.restored: Restored | None = None

    def run(self, *, output: str) -> int:
        """Return 0, or raise what it raises; a Plex that runs is left running."""
        from plexguard.core.events import FilePath
        from plexguard.db_export.apply import events
        from plexguard.db_export.apply.act import NotPutBack, PutBack
        from plexguard.db_export.apply.server import find_runner

        self.finish_earlier()
        runner = find_runner(self.data, self.found, self.ports.host, self.ports.manager)
        before = self.look_at_plex()
        changes = self.judge()
        try:
            health = self.replace(runner, before, changes)
        except (PutBack, NotPutBack) as error:
            kind = events.PUT_BACK if isinstance(error, PutBack) else events.NOT_PUT_BACK
            self.ports.journal.send(kind, archive=FilePath(self.archive), server=str(runner), reason=str(error))
            raise
        shown = "; ".join(map(str, changes)) or "no library"
        assert self.restored is not None
        generation = self.restored.generation
        self.ports.journal.send(
            events.APPLIED, archive=FilePath(self.archive), server=str(runner), changes=shown, path=FilePath(generation.folder)
        )
        if output == "json":
            click.echo(json.dumps(self._encode(runner, health, changes)))
        else:
            click.echo(f"applied: {self.archive}; {runner} is well, as {health.version}")
            click.echo("\n".join(map(str, changes)))
            click.echo(
                f"what was there: {generation.folder}; to put it back: stop Plex; plexguard-db-export undo {generation.number}"
            )
        return 0

    def finish_earlier(self) -> None:
        """End what an apply before this one has left that was cut off. Raises what ending it raises."""
        from plexguard.db_export.apply.noted import hold
        from plexguard.db_export.commands.finish import take_back

        with hold(self.data, self.ports.journal) as file:
            note = file.peek()
        if note is not None:
            take_back(note, self.ports)
            self.await_plex()

    def await_plex(self) -> None:
        """Wait until Plex, which was just started, answers. Raises PlexError."""
        from plexguard.core.plex import PlexError
        from plexguard.db_export.apply.health import READY_S

        until_s = self.ports.clock.monotonic_s() + READY_S
        while True:
            try:
                self.open_plex().libraries(timeout_s=_ASK_S)
                return
            except PlexError:
                if self.ports.clock.monotonic_s() >= until_s:
                    raise
                self.ports.clock.sleep(_PAUSE_S)

    def look_at_plex(self) -> "Health":
        """Return how Plex is. Raises PlexError where it is not well already, WrongServer, and TryAgain while somebody is
        watching."""
        from plexguard.core.errors import DataError, TryAgain
        from plexguard.db_export.apply.health import look

        plex = self.open_plex()
        health = look(plex)
        if self.server_id and health.identifier != self.server_id:
            raise DataError(
                f"the server here is {health.identifier}, and the archive is for {self.server_id}", hint="apply it where it belongs"
            )
        watched = [f"{session.title} ({session.user})" for session in plex.sessions(timeout_s=_ASK_S) if not session.is_paused]
        if watched and not self.is_now:
            raise TryAgain(f"somebody is watching: {', '.join(watched)}", hint="later, or with --now")
        return health

    def judge(self) -> "tuple[Change, ...]":
        """Unpack the archive, which verifies it, and hold it against what is here. Raises WouldLose, and what unpacking raises."""
        from plexguard.core.mounts import read_fstab, read_mounts
        from plexguard.db_export.apply.judge import compare, refuse_loss, refuse_missing
        from plexguard.db_export.archive.unpack import unpacked
        from plexguard.db_export.commands.remap import read_mappings
        from plexguard.db_export.database.files import LIBRARY
        from plexguard.db_export.database.libraries import count_libraries
        from plexguard.db_export.database.look import look
        from plexguard.db_export.paths.observe import move_library, read_library
        from plexguard.db_export.paths.survey import World, survey
        from plexguard.db_export.progress_shown import shown
        from plexguard.db_export.remap.decide import Mover

        with shown(self.ports) as progress, unpacked(self.archive, progress=progress) as made:
            database = next(file for file in made if file.name == LIBRARY)
            changes = compare(count_libraries(self.data.library), count_libraries(database))
            refuse_loss(changes, most_percent=self.most_loss)
            library = look(database, read_library)
            if self.mappings is not None:
                library = move_library(library, Mover(read_mappings(self.mappings)))
            world = World(find_here=self._which.find_here, mounts=read_mounts(), fstab=read_fstab())
            refuse_missing(survey(library.files, world, within_s=_LOOK_S), least_percent=self.min_present)
        return changes

    def replace(self, runner: "Runner", before: "Health", changes: "tuple[Change, ...]") -> "Health":
        """Raises PutBack, NotPutBack and LockHeld."""
        from plexguard.db_export.apply.act import Replacing
        from plexguard.db_export.commands.undo import put_back

        return Replacing(
            data=self.data,
            runner=runner,
            before=before,
            expected=frozenset(change.title for change in changes if change.after is not None),
            open_plex=self.open_plex,
            put=self._put,
            adjust=self._adjust,
            undo=lambda number: put_back(self.data, self.found, number, self.config, self.ports),
            ports=self.ports,
        ).run()

    def open_plex(self) -> "Plex":
        """Return the Plex on this data, with the token that its own settings have by now."""
        from plexguard.core.errors import IoFailed
        from plexguard.core.found import DEFAULT_URL
        from plexguard.core.plex_http import HttpPlex
        from plexguard.core.token import find_token

        try:
            token = find_token(self.data.preferences.read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise IoFailed(f"Failed to read {self.data.preferences}: {error.strerror}") from error
        url = self.url or (self.found.url if self.found is not None else "") or DEFAULT_URL
        return HttpPlex(url, token, owners=self.found.owners if self.found is not None else None)

    def _put(self) -> int:
        from plexguard.db_export.commands.begin import begin
        from plexguard.db_export.progress_shown import shown
        from plexguard.db_export.restore.act import Wanted, restore
        from plexguard.db_export.swap.stopped import prove_stopped

        # Whose archive it is was asked for; the settings of the server here are none of its business.
        wanted = Wanted(merge_watch_state=self.merges, other_machine=True, keep_settings=True)
        with begin(self.data, self.ports), shown(self.ports) as progress:
            prove_stopped(self.data, self.found, manager=self.ports.manager, host=self.ports.host, clock=self.ports.clock)
            self.restored = restore(
                self.data, self.archive, wanted, keep=self.config.undo_keep, clock=self.ports.clock, progress=progress
            )
        return self.restored.generation.number

    def _adjust(self) -> None:
        from plexguard.db_export.commands.remap import read_mappings
        from plexguard.db_export.commands.remap import run as rewrite

        if self.mappings is not None:
            rewrite(self._which, read_mappings(self.mappings), self.config, self.ports, force=False)

    @property
    def _which(self) -> Which:
        from plexguard.core.found import Server, read_container

        is_inside = self.found is not None and self.found.server is Server.CONTAINER
        container = read_container(self.ports.journal) if is_inside else None
        binds = container.mounts if container is not None else None
        return Which(library=self.data.library, data=self.data, found=self.found, binds=binds)

    def _encode(self, runner: "Runner", health: "Health", changes: "tuple[Change, ...]") -> dict[str, object]:
        assert self.restored is not None
        generation, merged = self.restored.generation, self.restored.merged
        return {
            "server": str(runner),
            "version": health.version,
            "libraries": [{"title": one.title, "before": one.before, "after": one.after} for one in changes],
            "generation": {"number": generation.number, "folder": str(generation.folder)},
            "merged": {"changed": merged.changed, "added": merged.added, "views": merged.views} if merged is not None else None,
            "damage": list(self.restored.damage),
        }
