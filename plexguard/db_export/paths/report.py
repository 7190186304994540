"""What was found of a library's files, for people and programs. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from plexguard.core.events import show_path
from plexguard.db_export.paths.survey import Seen

_SHOWN = 10


def show(found: Sequence[Seen]) -> Iterator[str]:
    for seen in found:
        name = f"{show_path(seen.place.title)}: {show_path(seen.place.root) or 'in none of its folders'}"
        yield f"{name}: {_count(seen)}"
        if seen.root:
            yield f"  the folder {seen.root}"
        for reason, count in sorted(seen.untold.items()):
            yield f"  {count:,} cannot be told: {reason}"
        folders = count_folders(seen).most_common()
        for folder, count in folders[:_SHOWN]:
            yield f"  {count:,} missing in {show_path(folder)}"
        if len(folders) > _SHOWN:
            yield f"  and {sum(count for _, count in folders[_SHOWN:]):,} in {len(folders) - _SHOWN} more folders"


def _count(seen: Seen) -> str:
    there = seen.checked - seen.missing_count
    share = f", a sample of {seen.total:,}" if seen.is_sample else ""
    return f"{there:,} of {seen.checked:,} files are there, {seen.missing_count:,} are missing{share}"


def count_folders(seen: Seen) -> Counter[str]:
    """Return how many are missing, by the folder below the library's."""
    root = seen.place.root.rstrip("/")
    counts: Counter[str] = Counter()
    for folder, names in seen.missing.items():
        below = folder[len(root) + 1 :].split("/")[0] if seen.place.root else ""
        counts[f"{root}/{below}" if below else folder or "/"] += len(names)
    return counts


def as_json(found: Sequence[Seen]) -> dict[str, Any]:
    return {
        "places": [
            {
                "library": seen.place.title,
                "section": seen.place.section,
                "folder": seen.place.root or None,
                "here": seen.here or None,
                "fault": seen.root or None,
                "files": seen.total,
                "checked": seen.checked,
                "missing": seen.missing_count,
                "untold": dict(seen.untold),
                "sample": seen.is_sample,
                "missing_folders": dict(count_folders(seen).most_common()),
            }
            for seen in found
        ]
    }
