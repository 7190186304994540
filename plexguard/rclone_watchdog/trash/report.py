"""What a run found and did, for people and programs. Pure."""

from collections.abc import Iterator
from typing import Any

from plexguard.core.events import show_path
from plexguard.core.records import encode
from plexguard.rclone_watchdog.trash.act import Listed, Result, Run
from plexguard.rclone_watchdog.trash.decide import sum_up


def show_run(run: Run, *, is_dry: bool) -> Iterator[str]:
    """Yield the lines for people: every library, and of each all that is missing from it."""
    if run.fault:
        yield f"Plex tells nothing: {run.fault}"
    if run.held:
        yield f"Nothing is emptied: {run.held}"
    for result in run.results:
        yield from _show_result(result, is_dry=is_dry)


def _show_result(result: Result, *, is_dry: bool) -> Iterator[str]:
    one = result.seen
    head = f"{show_path(one.library.title)} (library {show_path(one.library.key)})"
    if one.count is None:
        yield f"{head}: {_word_of(result, is_dry=is_dry)}"
        return
    counted = f"{one.count.missing} of {one.count.items} items missing, at most {one.limit} are emptied"
    yield (
        f"{head}: {counted}" if one.is_clean and result.emptied is None else f"{head}: {counted}: {_word_of(result, is_dry=is_dry)}"
    )
    for item in one.missing:
        yield f"  {show_path(item.title)}" + "".join(f"\n    {show_path(file)}" for file in item.files)
    if len(one.missing) < one.count.missing:
        yield f"  and {one.count.missing - len(one.missing)} more"


def _word_of(result: Result, *, is_dry: bool) -> str:
    if result.emptied is not None:
        return f"{result.emptied} emptied"
    if result.is_begun:
        return "Plex is emptying it"
    if result.reasons:
        return f"kept: {show_path(sum_up(result.reasons))}"
    return "would be emptied" if is_dry else "emptied"


def encode_run(run: Run) -> dict[str, Any]:
    return {
        "fault": run.fault,
        "held": run.held,
        "setting": run.setting,
        "libraries": [
            {
                "library": result.seen.library.key,
                "title": result.seen.library.title,
                "missing": result.seen.count.missing if result.seen.count is not None else None,
                "total": result.seen.count.items if result.seen.count is not None else None,
                "limit": result.seen.limit,
                "items": encode(result.seen.missing),
                "kept": [{"why": reason.why.value, "text": reason.text} for reason in result.reasons],
                "emptied": result.emptied,
                "is_begun": result.is_begun,
            }
            for result in run.results
        ],
    }


def show_lists(lists: tuple[Listed, ...]) -> Iterator[str]:
    for listed in lists:
        yield f"{listed.at.astimezone():%Y-%m-%d %H:%M}  {show_path(listed.title)}: {len(listed.items)} of {listed.total} items"
        for item in listed.items:
            yield f"  {show_path(item.title)}" + "".join(f"\n    {show_path(file)}" for file in item.files)
