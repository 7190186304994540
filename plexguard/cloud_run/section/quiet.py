"""Plex's own work in the background: off while a run works, so that one thing is done at a time, and back as it was. Pure.

The names are those that a server of 1.43 lists, or lists with a Plex Pass; one that it does not have needs no holding.
"""

from collections.abc import Mapping
from types import MappingProxyType

OFF: Mapping[str, str] = MappingProxyType(
    {
        **{
            f"{name}Behavior": "never"
            for name in (
                "GenerateBIF",
                "GenerateChapterThumb",
                "LoudnessAnalysis",
                "GenerateIntroMarker",
                "GenerateCreditsMarker",
                "GenerateAdMarker",
                "GenerateVAD",
                "MusicAnalysis",
            )
        },
        **{
            f"ButlerTask{name}": "false"
            for name in (
                "DeepMediaAnalysis",
                "UpgradeMediaAnalysis",
                "RefreshLibraries",
                "RefreshLocalMedia",
                "RefreshPeriodicMetadata",
                "OptimizeDatabase",
                "BackupDatabase",
                "CleanOldBundles",
            )
        },
        "FSEventLibraryUpdatesEnabled": "false",
        "FSEventLibraryPartialScanEnabled": "false",
        "ScheduledLibraryUpdatesEnabled": "false",
        "BackgroundQueueIdlePaused": "true",
        # What a scan does not find is kept until it is known that the scan was right.
        "autoEmptyTrash": "false",
    }
)

# While music is analysed by its sound, and nothing else.
MUSIC: Mapping[str, str] = MappingProxyType(
    {**OFF, "MusicAnalysisBehavior": "asap", "LoudnessAnalysisBehavior": "asap", "BackgroundQueueIdlePaused": "false"}
)


def find_changes(seen: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return what of the settings of a server is other than wanted, of those that it has."""
    return {name: value for name, value in wanted.items() if name in seen and seen[name] != value}


def find_former(seen: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be put back later: the settings that are about to change, as they are."""
    return {name: seen[name] for name in find_changes(seen, wanted)}
