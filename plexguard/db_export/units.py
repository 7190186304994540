"""What of [db-export] only a unit can hold: where it may write, and when it runs, also before which Plex. Pure."""

from plexguard.core.units import DropIns, Site, calendar_drop_in, quote_path
from plexguard.db_export.config import ARCHIVES, Config


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the export's units, by "unit/file"."""
    made: DropIns = {}
    if config.archives not in ("", ARCHIVES):
        place = quote_path(config.archives)
        # "-": a folder that is missing is told by the export itself, as an event that says what to do.
        made["plexguard-db-export.service.d/50-archives.conf"] = (
            f"[Unit]\nRequiresMountsFor={place}\n[Service]\nReadWritePaths=-{place}\n"
        )
    if config.calendar != Config().calendar:
        made |= calendar_drop_in("plexguard-db-export.timer", config.calendar)
    if site.plex_unit:
        made["plexguard-db-export-finish.service.d/50-plex.conf"] = f"[Unit]\nBefore={site.plex_unit}\n"
    return made
