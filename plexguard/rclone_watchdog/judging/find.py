"""What a look finds, by itself and by what came before it. Pure.

What the kernel says comes first, then rclone, then the storage, and last the mount itself: each can only be asked where those
before it are well.
"""

import dataclasses
import os
import re
from collections.abc import Collection, Iterable

from plexguard.core.manager import Unit
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.known import Finding, Judged, Place, Track
from plexguard.rclone_watchdog.observe import Kernel, Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

# How long a mount may not read after the storage gives bytes again: who waits for them was asked for them in the outage.
RECOVERY_S = 5.0
# So long reads must go well that have failed for want of room, while there is none: what the cache has kept is read without it.
_KEPT_S = 15.0
# As Go's net/http and the AWS SDK begin their errors.
_CALL = re.compile(r'(?:RequestError: send request failed caused by: )?(?:Get|Head|Post|Put|Propfind) "[^"]*": ', re.IGNORECASE)


def find(seen: Observation, known: Judged, mount: Mount, config: Config, unit: Unit | None) -> Finding:
    """unit: of the mount's rclone, where the manager was asked."""
    plain = _find_in_kernel(seen.kernel, mount, unit)
    if plain is not None:
        return plain
    if known.track(Question.THROUGH).outcome is Outcome.STALE and _is_of_this(seen, known):
        reason = "whoever reads gets ENOTCONN: its connection to its program is cut"
        return dataclasses.replace(_plain(Verdict.STALE, reason), signals=("through",))
    if not mount.is_ours:
        return _find_through_alone(seen, known, config)
    return _find_silent_rclone(known, config) or _find_in_storage(seen, known, mount, config) or _find_in_mount(seen, known, config)


# -- the kernel, and rclone -------------------------------------------------------------------------------------------


def _find_in_kernel(kernel: Kernel, mount: Mount, unit: Unit | None) -> Finding | None:
    """Return what the kernel says plainly, without anybody being asked."""
    if not kernel.is_mounted:
        return _plain(Verdict.ABSENT, f"nothing is mounted at {mount.mount_point}{_explain_end(unit)}")
    if not kernel.is_expected:
        what = kernel.type + (f" from {kernel.source}" if kernel.source else "")
        return _plain(Verdict.FOREIGN, f"{what} is mounted at {mount.mount_point}, in place of {mount.remote or 'what was there'}")
    if not mount.is_ours:
        return None
    if kernel.rclone_pid == 0 or kernel.rclone_state in ("Z", "X"):
        return _plain(Verdict.STALE, f"its rclone is gone, and the mount is still there{_explain_end(unit)}")
    if kernel.rclone_state in ("T", "t"):
        return _plain(Verdict.HUNG, f"rclone (pid {kernel.rclone_pid}) is stopped (state T): something has sent it SIGSTOP")
    return None


def _plain(verdict: Verdict, reason: str) -> Finding:
    return Finding(verdict=verdict, reason=reason, place=Place.MOUNT, signals=("kernel",), is_plain=True)


def _explain_end(unit: Unit | None) -> str:
    """Return what the manager knows of the end of rclone, in words to be added."""
    if unit is None:
        return ""
    if unit.load_state == "masked":
        return f": {unit.name} is masked"
    if unit.was_told_to_stop and not unit.runs:
        return f": {unit.name} was stopped"
    match unit.result:
        case "oom-kill":
            return ": rclone was killed for want of memory"
        case "start-limit-hit":
            return ": rclone has ended too often, and systemd starts it no more for a while"
        case "signal" | "core-dump":
            return f": rclone was ended by signal {unit.exit_code}"
        case "exit-code" if unit.exit_code == os.EX_CONFIG:
            return f": it cannot be made, and the last line of {unit.name} says what is missing"
        case "exit-code":
            return f": rclone has ended with code {unit.exit_code}"
        case "timeout" | "watchdog" | "protocol" | "resources":
            return f": systemd has ended it ({unit.result})"
        case _:
            return "" if unit.runs else f": {unit.name} is {unit.active_state}"


def _find_silent_rclone(known: Judged, config: Config) -> Finding | None:
    """rclone answers nothing, not even what it knows by heart. On a machine that swaps, that alone may be slow by itself."""
    late = [q for q in (Question.DATA, Question.CONTROL, Question.THROUGH) if known.track(q).is_late(config)]
    process, limit_s = known.track(Question.PROCESS), config.answer_limit.total_seconds() * (1 if late else 2)
    is_silent = process.waited_s >= limit_s if process.pending is not None else process.outcome is Outcome.LATE
    if not is_silent or known.moves(config):
        return None
    return Finding(
        verdict=Verdict.HUNG,
        reason="rclone runs and answers nothing, not even what needs no storage",
        place=Place.MOUNT,
        signals=_names((Question.PROCESS, *late)),
        weight=_weigh(known, (Question.PROCESS, *late)),
    )


# -- the storage ------------------------------------------------------------------------------------------------------


def _find_in_storage(seen: Observation, known: Judged, mount: Mount, config: Config) -> Finding | None:
    """Return what is found of the storage, None where it gives bytes, or nothing is known of it. Bytes decide: one who may read
    and not list has a storage that is well."""
    asked = _usable(known)
    lost = _find_lost(seen, known, asked, mount)
    if lost is not None:
        return lost
    data = known.track(known.data_question)
    if told := _find_told_to_another(known, config):
        return told
    if data.is_late(config) or data.last is None:
        return _keep_reason(known, _find_late_storage(known, asked, config))
    if data.outcome is Outcome.GOOD:
        return None
    if refused := _such(known, asked, Outcome.REFUSED):
        return _find_refusal(known, refused)
    if failed := _such(known, asked, Outcome.FAILED):
        return _find_failed(known, failed)
    return None


def _find_lost(seen: Observation, known: Judged, asked: Iterable[Question], mount: Mount) -> Finding | None:
    """Return that the content is gone, where two listings or two kinds of question say so."""
    missing = _such(known, asked, Outcome.MISSING)
    if known.lost_in_row and seen.listing is not None and known.track(Question.LISTING).outcome is Outcome.GOOD:
        entries = seen.listing.entries
        was = (
            f": it listed {known.baseline} entries, and lists {entries}" if known.baseline else ", and nothing was ever seen in it"
        )
        return Finding(
            verdict=Verdict.EMPTY,
            reason=("it has lost its content" if entries else "it is empty") + was,
            place=Place.STORAGE,
            signals=("listing", *_names(missing)),
            weight=known.lost_in_row + len(missing),
        )
    if Question.CONTROL in missing and known.data_question in missing:
        what = f"its canary {mount.canary} is not there" if mount.canary else "none of the files that it held is there"
        return _storage(known, Verdict.EMPTY, f"the storage answers, and {what}", missing)
    return None


def _find_told_to_another(known: Judged, config: Config) -> Finding | None:
    """Return what the storage has told an rclone of its own at once, while ours tries again and again and tells nothing."""
    data, control, direct = (known.track(q) for q in (Question.DATA, Question.CONTROL, Question.DIRECT))
    is_silent = known.answers_rc and data.pending is not None and data.waited_s >= data.limit_s(config) / 2
    if not is_silent or direct.last is None or direct.last.asked_s < data.asked_s:
        # It has told nothing since: what it told in an outage before is none of this one.
        return None
    asked = (Question.DIRECT, Question.DATA)
    if direct.outcome is Outcome.REFUSED:
        return dataclasses.replace(_find_refusal(known, asked[:1]), weight=_weigh(known, asked))
    # Of a failure it may be the cause itself, where the storage answers ours.
    if direct.outcome is Outcome.FAILED and control.good_s <= data.asked_s:
        return dataclasses.replace(_find_failed(known, asked[:1]), weight=_weigh(known, asked))
    return None


def _keep_reason(known: Judged, finding: Finding | None) -> Finding | None:
    """Return what is found of a storage that is silent now. Where it has said why it gives nothing, that still is the reason, until
    something speaks against it: rclone tries again by itself, and what it asks comes late, and not with another answer."""
    has_told = known.verdict in (Verdict.DEGRADED, Verdict.REFUSING) and known.finding.place is Place.STORAGE
    is_silent = finding is not None and (finding.verdict, finding.place) == (Verdict.HUNG, Place.STORAGE)
    return _undecided(known, finding.reason) if finding is not None and has_told and is_silent else finding


def _find_late_storage(known: Judged, asked: Iterable[Question], config: Config) -> Finding | None:
    """Return what follows when bytes are late, or none could be asked for yet, since nothing is known to be there."""
    subject = known.data_question
    data, control = known.track(subject), known.track(Question.CONTROL)
    is_late, is_ours = data.is_late(config), subject is Question.DATA
    if is_late and (known.moves(config) or (is_ours and control.good_s > data.asked_s)):
        return _find_slow_bytes(known, data, config)
    if refused := _such(known, asked, Outcome.REFUSED):
        return _find_refusal(known, refused)
    # What confirms was asked later, and needs to be silent for half as long.
    half_s = data.limit_s(config) / 2
    silent = [q for q in asked if known.track(q).is_late(config, most_s=float("inf") if q is subject else half_s)]
    failed = _such(known, asked, Outcome.FAILED)
    if failed:
        # It is not silent: rclone tries again by itself, and some of its tries are late.
        finding = _find_failed(known, failed)
        return dataclasses.replace(finding, weight=finding.weight + len(silent))
    is_asked = known.track(Question.PROCESS).waited_s >= half_s
    if len(silent) < 2 or is_asked:
        # It may be rclone itself.
        return _undecided(known, f"its bytes are waited for ({data.waited_s:.0f} s)") if silent else None
    is_lasting = is_late and data.waited_s >= 2 * data.limit_s(config)
    if is_lasting and is_ours and known.track(Question.DIRECT).good_s > data.asked_s + half_s:
        return Finding(
            verdict=Verdict.HUNG,
            reason="the storage answers others, and rclone's own requests to it hang",
            place=Place.MOUNT,
            signals=("direct", *_names(silent)),
            weight=1 + _weigh(known, silent),
        )
    waited_s = max(known.track(q).waited_s for q in silent)
    return _storage(known, Verdict.HUNG, f"the storage does not answer: nothing for {waited_s:.0f} s", silent)


def _find_slow_bytes(known: Judged, data: Track, config: Config) -> Finding:
    """Bytes are late, and the storage answers: that is a matter of patience, unless it was at fault before."""
    if data.waited_s >= config.patience.total_seconds():
        reason = f"no bytes for {data.waited_s:.0f} s, though the storage answers other questions"
        return _storage(known, Verdict.HUNG, reason, (Question.DATA, Question.CONTROL))
    if known.verdict.is_proven:
        return _found(Verdict.SLOW, f"bytes have been waited for for {data.waited_s:.0f} s; the storage answers other questions")
    return _undecided(known, f"the storage answers, and its bytes are still waited for ({data.waited_s:.0f} s)")


def _find_refusal(known: Judged, refused: Collection[Question]) -> Finding:
    return _storage(known, Verdict.REFUSING, f"the storage refuses: {_detail(known, refused)}", refused)


def _find_failed(known: Judged, failed: Collection[Question]) -> Finding:
    ours: Collection[Question] = [q for q in failed if q is not Question.DIRECT] or (Question.DIRECT,)
    direct, detail = known.track(Question.DIRECT), _detail(known, ours)
    failing_since_s = max(known.track(q).bad_since_s or 0.0 for q in ours)
    # It failed before the other was asked, and again after that one had its bytes: not a storage that comes and goes.
    if (
        direct.outcome is Outcome.GOOD
        and failing_since_s < direct.asked_s
        and direct.good_s < max(known.track(q).asked_s for q in ours)
    ):
        return Finding(
            verdict=Verdict.DEGRADED,
            reason=f"the storage gives others its bytes, and rclone fails to get them: {detail}",
            place=Place.MOUNT,
            signals=("direct", *_names(ours)),
            weight=1 + _weigh(known, ours),
        )
    lists = known.track(Question.CONTROL).outcome is Outcome.GOOD
    how = "it lists, and its bytes cannot be read" if lists else "the storage fails"
    return _storage(known, Verdict.DEGRADED, f"{how}: {detail}", ours)


# -- the mount itself -------------------------------------------------------------------------------------------------


def _find_in_mount(seen: Observation, known: Judged, config: Config) -> Finding:
    """Return what is found of the mount, where nothing speaks against the storage."""
    data, through = known.track(known.data_question), known.track(Question.THROUGH)
    # Bytes that came before somebody was sent to read say nothing of what kept him.
    gives = data.outcome is Outcome.GOOD and data.good_s > through.asked_s
    if through.is_late(config):
        return _find_late_reader(seen, known, gives=gives, config=config)
    if _is_of_this(seen, known) and through.outcome is Outcome.REFUSED:
        return _found(Verdict.UNKNOWN, f"the mount may not be read: {_words(through)}")
    if _is_of_this(seen, known) and through.outcome in (Outcome.FAILED, Outcome.MISSING):
        if _lacks_room(seen):
            return Finding(
                verdict=Verdict.DEGRADED,
                reason=f"there is no room for rclone's cache, and reads fail: {_words(through)}",
                place=Place.CACHE,
                signals=("through", "cache"),
                weight=1 + through.in_row,
            )
        reason, place = f"the mount does not read: {_words(through)}", Place.STORAGE
        if not gives and known.answers_rc and data.last is not None:
            return _undecided(known, f"{reason}; whether its storage gives bytes is asked")
        if gives:
            reason, place = f"the storage gives bytes, and the mount does not: {_words(through)}", Place.MOUNT
        return Finding(verdict=Verdict.DEGRADED, reason=reason, place=place, signals=("through",), weight=through.in_row)
    if not _is_fresh(data, seen.now_s, config) and not _is_fresh(through, seen.now_s, config):
        return _found(Verdict.UNKNOWN, "nothing is known of its storage")
    return _find_proof(seen, known, config)


def _find_late_reader(seen: Observation, known: Judged, *, gives: bool, config: Config) -> Finding:
    data, through = known.track(known.data_question), known.track(Question.THROUGH)
    reason = f"a reader has waited for {through.waited_s:.0f} s"
    if not gives:
        return _undecided(known, reason)
    if known.verdict.is_proven or known.moves(config):
        if through.waited_s < config.patience.total_seconds():
            reason = f"{reason}; the storage gives bytes"
            return _found(Verdict.SLOW, reason) if known.verdict.is_proven else _undecided(known, reason)
    elif data.good_since_s is None or seen.now_s - data.good_since_s < max(RECOVERY_S, data.limit_s(config)):
        return _undecided(known, "the storage gives bytes; whether the mount reads is waited for")
    return Finding(
        verdict=Verdict.HUNG,
        reason=f"the storage gives bytes, and {reason}",
        place=Place.MOUNT,
        signals=("through", "data"),
        weight=1 + min(2, data.in_row),
    )


def _find_through_alone(seen: Observation, known: Judged, config: Config) -> Finding:
    """Of a mount of somebody else's, only who reads through it can tell anything."""
    through = known.track(Question.THROUGH)
    if through.is_late(config):
        reason = f"a reader has waited for {through.waited_s:.0f} s"
        if through.waited_s < 2 * through.limit_s(config):
            return _undecided(known, reason)
        return Finding(verdict=Verdict.HUNG, reason=reason, place=Place.MOUNT, signals=("through",), weight=2)
    match through.outcome:
        case Outcome.REFUSED:
            return _found(Verdict.UNKNOWN, f"it may not be read: {_words(through)}")
        case Outcome.FAILED:
            return _storage(known, Verdict.DEGRADED, f"reads fail: {_words(through)}", (Question.THROUGH,))
        case Outcome.MISSING:
            return _storage(known, Verdict.EMPTY, f"nothing to read is in it: {_words(through)}", (Question.THROUGH,))
    if not _is_fresh(through, seen.now_s, config):
        return _found(Verdict.UNKNOWN, "nothing has been read of it yet")
    return _find_proof(seen, known, config)


def _find_proof(seen: Observation, known: Judged, config: Config) -> Finding:
    data, through = known.track(known.data_question), known.track(Question.THROUGH)
    if seen.kernel.is_covered:
        return _found(Verdict.UNKNOWN, "its storage gives bytes; through the mount they are read as soon as it is uncovered")
    if known.finding.place is Place.CACHE and _lacks_room(seen) and seen.now_s - (through.good_since_s or seen.now_s) < _KEPT_S:
        return _undecided(known, "something was read, and its cache still has no room")
    is_read = through.outcome is Outcome.GOOD and _is_of_this(seen, known)
    if known.device != known.shown and not is_read:
        # Where another was proven, that one is not there any more.
        reason = "it is mounted, and nothing has been read of it yet"
        return Finding(verdict=Verdict.UNKNOWN, reason=reason, is_plain=bool(known.device))
    if through.good_s < known.fault_s:
        return _undecided(known, "its storage gives bytes again, and nothing has been read through the mount since")
    # What was asked in an outage took as long as that.
    answers = [track.last for track in (data, through) if track.last is not None and track.last.asked_s > known.fault_s]
    slowest_s = max((answer.latency_s for answer in answers), default=0.0)
    if slowest_s >= config.answer_limit.total_seconds():
        return _found(Verdict.SLOW, f"bytes take {slowest_s:.1f} s")
    return _found(Verdict.PROVEN, "bytes were read")


# -- small words ------------------------------------------------------------------------------------------------------


def _found(verdict: Verdict, reason: str) -> Finding:
    return Finding(verdict=verdict, reason=reason)


def _undecided(known: Judged, reason: str) -> Finding:
    """Nothing new is found: what was held to be true still is, in its own words, unless it was what the kernel does not say any
    more."""
    if known.verdict is Verdict.UNKNOWN or known.finding.is_plain:
        return _found(Verdict.UNKNOWN, reason)
    return dataclasses.replace(known.finding, is_old=True)


def _storage(known: Judged, verdict: Verdict, reason: str, questions: Collection[Question]) -> Finding:
    signals, weight = _names(questions), _weigh(known, questions)
    return Finding(verdict=verdict, reason=reason, place=Place.STORAGE, signals=signals, weight=weight)


def _weigh(known: Judged, questions: Iterable[Question]) -> int:
    """Return how often these have said it: what is still waited for counts once, whatever was answered before."""
    tracks = [known.track(question) for question in questions]
    return sum(t.in_row if t.pending is None or t.outcome is Outcome.LATE else 1 for t in tracks)


def _is_of_this(seen: Observation, known: Judged) -> bool:
    """Tell whether the last answer to a reader is of what is mounted now."""
    last = known.track(Question.THROUGH).last
    return last is not None and last.asked_s >= max(seen.kernel.since_s, known.shown_s)


def _usable(known: Judged) -> tuple[Question, ...]:
    """Return the questions that tell of the storage. Over an rc that is not there, none is asked of it."""
    if not known.answers_rc:
        return (Question.DIRECT,)
    return (Question.CONTROL, Question.DATA, Question.LISTING, Question.DIRECT)


def _such(known: Judged, asked: Iterable[Question], outcome: Outcome) -> tuple[Question, ...]:
    """Return the questions whose last answer was such, and is not older than bytes that came since."""
    bytes_s = known.track(known.data_question).good_s
    return tuple(q for q in asked if known.track(q).outcome is outcome and known.track(q).came_s >= bytes_s)


def _is_fresh(track: Track, now_s: float, config: Config) -> bool:
    """Tell whether good bytes came within the time in which some come again."""
    longest = max(config.backend_interval, config.read_interval)
    return track.outcome is Outcome.GOOD and now_s - track.good_s < 2 * longest.total_seconds() + track.limit_s(config)


def _lacks_room(seen: Observation) -> bool:
    return seen.cache is not None and seen.cache.is_full


def _names(questions: Iterable[Question]) -> tuple[str, ...]:
    return tuple(question.value for question in questions)


def _words(track: Track) -> str:
    """Return what an answer said, without the address that was asked, which says no more to people."""
    if track.last is None:
        return ""
    return _CALL.sub("", track.last.detail) or track.last.outcome.value


def _detail(known: Judged, questions: Iterable[Question]) -> str:
    return next((_words(track) for q in questions if (track := known.track(q)).last and track.last.detail), "no reason given")
