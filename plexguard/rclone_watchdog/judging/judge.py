"""From what was seen to a verdict, with the reason in words. Pure: it is given the time, and what was known before.

What a look finds (`find`) is one thing, what is held to be true another: that takes two signals that agree, or one of them several
times, but for what the kernel itself says. What is not known is UNKNOWN, and never PROVEN.
"""

import dataclasses

from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.find import find
from plexguard.rclone_watchdog.judging.known import Finding, Judged, follow
from plexguard.rclone_watchdog.observe import Observation, Question
from plexguard.rclone_watchdog.states import Verdict

# Signals, each counted as often as it was seen in a row.
_BELIEVED = 2
# Late answers in a row that make it slow, and quick ones that end that.
_SLOW_AFTER, _QUICK_AFTER = 2, 3
# One that was proven for so short a time so often in a row must stay so for as long before it is believed again.
_STEADY_S, _BRIEF_PROOFS = 15.0, 3
_UNSTEADY = Finding(
    verdict=Verdict.UNKNOWN,
    reason=f"bytes are read again; since it was proven for moments only, that must last for {_STEADY_S:.0f} s",
)
# Nothing is found, for what was held to be true or against it: so long it still is.
_DOUBT_S = 10.0


def judge(seen: Observation, past: Judged, mount: Mount, config: Config, unit: Unit | None = None) -> Judged:
    """Return what is true of a mount. unit: of its rclone, where the manager was asked."""
    known = follow(seen, past, config)
    finding = find(seen, known, mount, config, unit)
    is_same = (finding.verdict, finding.place) == (past.found, past.place)
    known = dataclasses.replace(
        _count_speed(known, past, finding, config),
        found=finding.verdict,
        place=finding.place,
        found_in_row=past.found_in_row + 1 if is_same else 1,
        found_since_s=past.found_since_s if is_same else seen.now_s,
        is_undecided=finding.is_old,
        good_since_s=_good_since(finding, past, seen.now_s),
        fault_s=seen.now_s if _is_fault(finding) else past.fault_s,
    )
    if _is_believed(known, past, finding):
        return _settle(known, past, finding)
    return _settle(known, past, _UNSTEADY) if finding.verdict.is_proven else known


def _good_since(finding: Finding, past: Judged, now_s: float) -> float | None:
    if not finding.verdict.is_proven:
        return None
    return past.good_since_s if past.good_since_s is not None else now_s


def _is_fault(finding: Finding) -> bool:
    return not (finding.is_old or finding.verdict.is_proven or finding.verdict is Verdict.UNKNOWN)


def _count_speed(known: Judged, past: Judged, finding: Finding, config: Config) -> Judged:
    """Count slow and quick answers in a row. One that is still waited for, and late, makes it slow by itself."""
    bytes_of = (Question.DATA, Question.THROUGH)
    if any(known.track(q).came_s != past.track(q).came_s for q in bytes_of):
        is_slow = finding.verdict is Verdict.SLOW
        return dataclasses.replace(
            known, slow_in_row=past.slow_in_row + 1 if is_slow else 0, quick_in_row=0 if is_slow else past.quick_in_row + 1
        )
    if finding.verdict is Verdict.SLOW and any(known.track(q).is_late(config) for q in bytes_of):
        return dataclasses.replace(known, slow_in_row=_SLOW_AFTER, quick_in_row=0)
    return known


def _is_believed(known: Judged, past: Judged, finding: Finding) -> bool:
    now_s, found = known.looked_s, finding.verdict
    if found.is_proven:
        is_steady = known.good_since_s is not None and now_s - known.good_since_s >= _STEADY_S
        return past.verdict.is_proven or past.brief < _BRIEF_PROOFS or is_steady
    if found is Verdict.UNKNOWN:
        return finding.is_plain or past.verdict is Verdict.UNKNOWN or now_s - known.found_since_s >= _DOUBT_S
    return finding.is_plain or finding.is_old or finding.weight >= _BELIEVED


def _settle(known: Judged, past: Judged, finding: Finding) -> Judged:
    """Return what is held to be true from now on."""
    found = finding.verdict
    if found is Verdict.SLOW and past.verdict is Verdict.PROVEN and known.slow_in_row < _SLOW_AFTER:
        return known
    if found is Verdict.PROVEN and past.verdict is Verdict.SLOW and known.quick_in_row < _QUICK_AFTER:
        return known
    is_other = found is not past.verdict
    held_s = known.looked_s - past.since_s
    brief = past.brief
    if past.verdict.is_proven and held_s >= _STEADY_S:
        brief = 0
    elif past.verdict.is_proven and not found.is_proven:
        brief += 1
    return dataclasses.replace(
        known,
        verdict=found,
        finding=finding,
        since_s=known.looked_s if is_other else past.since_s,
        device=known.shown if found.is_proven or known.device == known.shown else "",
        brief=brief,
    )
