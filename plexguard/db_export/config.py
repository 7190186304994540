"""The section [db-export]."""

from dataclasses import dataclass
from typing import ClassVar

from plexguard.core.options import BOOLEAN, CALENDAR, FOLDER, count, option

ARCHIVES = "/var/lib/plexguard/db-export/archives"
_KEPT = count(0, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "db-export"

    data: str = option(FOLDER, "", 'The folder of Plex\'s data, "Plex Media Server". Empty: that of the Plex that was found.')
    archives: str = option(FOLDER, "", f"The folder that archives are kept in. Empty: {ARCHIVES}.")
    metadata: bool = option(BOOLEAN, False, "Whether an archive also takes Plex's folder Metadata: posters and art.")
    media: bool = option(BOOLEAN, False, "The same for the folder Media: previews and what analysis has made.")
    calendar: str = option(CALENDAR, "Sun 05:00", "When an archive is made; a time zone may follow, as in systemd.time(7).")
    keep_daily: int = option(_KEPT, 7, "Of how many days the last good archive is kept; days without one do not count.")
    keep_weekly: int = option(_KEPT, 4, "The same of weeks.")
    keep_monthly: int = option(_KEPT, 6, "The same of months.")
    shrink_percent: int = option(
        count(0, 100), 5, "A library that has lost more than this share of its rows since the last archive, in per cent, is told."
    )
    undo_keep: int = option(count(1, 100), 3, "How often what was there before a repair, restore or remap is kept for undo.")
    max_loss: int = option(count(0, 1000), 1, "Of a thousand rows of a table, how many a repair may lose without --force.")
