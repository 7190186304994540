"""From what is missing to a file of mappings: where to look, what was found, and how it is told."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plexguard.core.events import show_path
from plexguard.core.mounts import is_below
from plexguard.core.records import encode
from plexguard.db_export.paths.candidates import Root, find_kind, widen
from plexguard.db_export.paths.match import Candidate, Missing, match
from plexguard.db_export.paths.observe import Library
from plexguard.db_export.paths.suggest import Bounds, Suggestion, suggest
from plexguard.db_export.paths.survey import Seen
from plexguard.db_export.remap.mappings import encode_mappings

_SHOWN = 20
Find = Callable[[Iterable[Root], Mapping[str, Collection[str]], Collection[str]], tuple[tuple[Candidate, ...], tuple[str, ...]]]
_REMARK = "Suggested by plexguard-db-export: look through it, remove what is wrong, then: plexguard-db-export remap --mappings FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """missing: how many files were not where the database has them. unmatched: those of which nothing was found. faults: what could
    not be looked through, and what could not be told."""

    suggestions: tuple[Suggestion, ...]
    missing: int
    unmatched: tuple[str, ...]
    faults: tuple[str, ...]


def propose(
    library: Library,
    found: Sequence[Seen],
    sizes: Mapping[str, int],
    *,
    search: tuple[str, ...],
    find: Find,
    find_here: Callable[[str], str | None],
    find_there: Callable[[str], str | None],
) -> Proposal:
    """Look for what is missing: in the folders of its library, and in those that were named, as paths of this machine.

    find: returns files that nobody knows, and what could not be listed; it is given folders here, the names known in each, and
    which endings are wanted. find_here, find_there: return the path here of one in the database, and the other way round.
    """
    missing = tuple(
        Missing(path, _below(path, seen.place.root), seen.place.section, sizes.get(path, 0))
        for seen in found
        for folder, names in seen.missing.items()
        for name in names
        for path in (f"{folder}/{name}",)
    )
    sections = {one.section for one in missing}
    roots = [
        Root(here=seen.here, sections=frozenset({seen.place.section}))
        for seen in found
        if seen.here and seen.place.root and seen.place.section in sections and not seen.root
    ]
    roots += [Root(here=folder, sections=None) for folder in search]
    candidates, faults = find(roots, _names_here(library, find_here), widen(find_kind(one.path) for one in missing))
    gone = {one.path for one in missing}
    targets = (*(place.root for place in library.places if place.root), *filter(None, map(find_there, search)))
    # Nothing is known of where files lie that are in no folder of their library; they may be mapped one by one.
    olds = (*(place.root for place in library.places if place.root), *(one.path for one in missing if "/" not in one.below))
    untold = tuple(f"{show_path(s.place.root)}: {n} files cannot be told: {why}" for s in found for why, n in s.untold.items())
    suggestions = suggest(
        match(missing, candidates),
        library.all_paths,
        is_missing=lambda path: path in gone,
        bounds=Bounds(roots=olds, targets=targets),
    )
    return Proposal(
        suggestions=suggestions, missing=len(missing), unmatched=_find_unmatched(gone, suggestions), faults=(*untold, *faults)
    )


def _find_unmatched(gone: set[str], suggestions: Sequence[Suggestion]) -> tuple[str, ...]:
    olds = {one.old for one in suggestions}

    def is_mapped(path: str) -> bool:
        while path:
            if path in olds:
                return True
            path = path.rpartition("/")[0]
        return False

    return tuple(sorted(path for path in gone if not is_mapped(path)))


def _below(path: str, root: str) -> str:
    return path[len(root.rstrip("/")) + 1 :] if root and is_below(path, root) else path.rpartition("/")[2]


def _names_here(library: Library, find_here: Callable[[str], str | None]) -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for folders in library.files.values():
        for folder, names in folders.items():
            here = find_here(folder or "/")
            if here is not None:
                known.setdefault(here, set()).update(names)
    return known


def encode_file(proposal: Proposal) -> bytes:
    """Return the mappings file: as `remap` reads it, with remarks for who looks through it."""
    details = {
        one.old: {"confidence": one.confidence, "files": one.files, "of": one.of, "found_by": dict(one.why)}
        for one in sorted(proposal.suggestions, key=lambda one: one.confidence)
    }
    remarks = {"_comment": _REMARK, "_suggested": details, "_not_found": list(proposal.unmatched)}
    return encode_mappings({one.old: one.new for one in proposal.suggestions}, remarks)


def show(proposal: Proposal, target: str) -> list[str]:
    lines = []
    for one in sorted(proposal.suggestions, key=lambda one: -one.files)[:_SHOWN]:
        why = ", ".join(one.why)
        lines.append(f"{one.confidence:4.0%}  {one.files:>7,} of {one.of:,}  {show_path(one.old)} → {show_path(one.new)}  ({why})")
    if len(proposal.suggestions) > _SHOWN:
        lines.append(f"and {len(proposal.suggestions) - _SHOWN} more mappings")
    lines += [f"{show_path(fault)}" for fault in proposal.faults]
    lines.append(f"{proposal.missing:,} files are missing; of {len(proposal.unmatched):,} of them nothing was found")
    if proposal.suggestions:
        lines.append(f"look through {show_path(target)}, then: plexguard-db-export remap --mappings {show_path(target)} --dry-run")
    return lines


def as_json(proposal: Proposal) -> dict[str, Any]:
    return {
        "suggestions": encode(proposal.suggestions),
        "missing": proposal.missing,
        "not_found": list(proposal.unmatched),
        "faults": list(proposal.faults),
    }
