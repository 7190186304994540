"""Which questions are due. Pure.

While all agree: what needs no storage often, the storage seldom, and never more than the configuration allows. When anything does
not agree, everything at once, until it is known what it is. A storage that refuses is left in peace.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.known import Judged, Place, Track
from plexguard.rclone_watchdog.observe import Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

# How often, in calm, what rclone knows by itself.
PROCESS_S, CACHE_S = 10.0, 2.0
# How often bytes are read through the mount while its cache has no room: the storage knows nothing of that.
_NO_ROOM_S = 5.0
# How often each question is asked anew in doubt, and in an outage whose end is waited for, for minutes, and for hours.
_DOUBT_S, _OUTAGE_S, _OUTAGE_LONG_S = 1.0, 3.0, 10.0
# What was answered badly once is asked a second time so soon: it takes two to be believed.
_SECOND_S = 0.5
# Where bytes cost two requests, they are asked for each so many times, and in between whether a file is there.
_BYTES_EVERY = 4
_LONG_S = 600.0
# An rclone of its own costs a start of that program.
_DIRECT_S, _DIRECT_SELDOM_S = 8.0, 60.0
# A storage that refuses is asked one thing at a time: half of what it is asked while it is well, and often enough that its mount is
# proven within 15 s of its return, if that is after a day.
_REFUSING_S = 10.0
# So long one is given up that is asked directly no more than now and then.
_GIVEN_UP_LONG_S = 3_600.0
# An answer that takes so many times what is usual, and more than so long, is reason to ask others.
_ODD_TIMES, _ODD_S = 2.0, 0.5
# The same answers in a row after which a question needs no asking in haste.
_SETTLED = 3
# So long after a change the limits are brought back to what is usual now.
_SETTLING_S = 15.0
# How long requests may wait at the kernel's door before that is odd.
_WAITING_S = 2.0
# From look to look: in calm, in an outage, and while it is not known whether there is one.
_LOOK_S, _QUICK_LOOK_S, _KEEN_LOOK_S = 1.0, 0.5, 0.25
_STORAGE = (Question.CONTROL, Question.DATA, Question.LISTING)
# What costs the storage something is asked when it is due, and no sooner; what costs nothing, at the look that is nearest.
_REMOTE = frozenset((*_STORAGE, Question.THROUGH, Question.DIRECT))
_SLACK_S = 0.02
# Of what was never asked: long before any clock began, and still a number to count with.
_NEVER_S = -1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """ask: which questions; renew: of those that are still waited for, the ones to ask anew. next_look_s: after how long."""

    ask: frozenset[Question]
    renew: frozenset[Question] = frozenset()
    next_look_s: float = _LOOK_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """asked_s: when each question was last asked. data_requests: how many requests to the storage one for data costs. gave_up_s:
    how long ago it was given up, None while it is not. is_hinted: somebody has just met it dead, or its cache has just lost its
    room."""

    asked_s: Mapping[Question, float]
    data_requests: int = 1
    gave_up_s: float | None = None
    is_hinted: bool = False


def find_due(seen: Observation, judged: Judged, past: Past, mount: Mount, config: Config) -> Due:
    """Return what is to be asked now."""
    now_s = seen.now_s
    intervals = _intervals(seen, judged, mount, config, past)
    due_in_s = {q: past.asked_s.get(q, _NEVER_S) + interval_s - now_s for q, interval_s in intervals.items()}
    ask = frozenset(q for q, in_s in due_in_s.items() if in_s <= (_SLACK_S if q in _REMOTE else _QUICK_LOOK_S / 2))
    next_look_s = _LOOK_S if judged.verdict.is_proven else _QUICK_LOOK_S
    if judged.verdict.is_proven and (_is_just_asked(ask, judged) or is_in_doubt(seen, judged, config)):
        next_look_s = _KEEN_LOOK_S
    soonest_s = min((in_s for q, in_s in due_in_s.items() if q in _REMOTE and q not in ask), default=next_look_s)
    next_look_s = min(next_look_s, max(_KEEN_LOOK_S, soonest_s))
    return Due(ask=ask, renew=_find_lost_questions(judged, config), next_look_s=next_look_s)


def _is_just_asked(ask: Collection[Question], judged: Judged) -> bool:
    """Tell whether an answer of the storage's is to be expected any moment: it is not left lying for the rest of a second."""
    waited = (track.waited_s for q in _STORAGE if (track := judged.track(q)).pending is not None)
    return not frozenset(_STORAGE).isdisjoint(ask) or any(waited_s < _ODD_S for waited_s in waited)


def _intervals(seen: Observation, judged: Judged, mount: Mount, config: Config, past: Past) -> Mapping[Question, float]:
    """Return how often each question is asked that is of use now."""
    if not mount.is_ours:
        return {Question.THROUGH: _through_alone_s(seen, judged, config)} if seen.kernel.is_mounted else {}
    if not (seen.kernel.is_mounted and seen.kernel.is_expected and seen.kernel.rclone_pid):
        return {Question.DIRECT: _direct_s(past.gave_up_s)}
    if judged.verdict is Verdict.REFUSING and judged.is_certain:
        return {**_local(), Question.DATA if judged.track(Question.DATA).last else Question.LISTING: _REFUSING_S}
    if past.is_hinted or is_in_doubt(seen, judged, config):
        return _in_doubt(seen, judged)
    return _in_calm(seen, judged, config, past) if judged.verdict.is_proven else _in_outage(seen, judged)


def _in_calm(seen: Observation, judged: Judged, config: Config, past: Past) -> Mapping[Question, float]:
    often_s, data = config.backend_interval.total_seconds(), judged.track(Question.DATA)
    due = {
        **_local(),
        Question.LISTING: config.listing_interval.total_seconds(),
        # Where rclone cannot be asked for bytes, they are read through the mount as often.
        Question.THROUGH: config.read_interval.total_seconds() if judged.answers_rc else often_s,
        Question.DATA: often_s if past.data_requests == 1 else often_s * _BYTES_EVERY,
    }
    if seen.cache is not None and seen.cache.is_full:
        due[Question.THROUGH] = min(due[Question.THROUGH], _NO_ROOM_S)
    is_raised = data.limit_s(config) > config.answer_limit.total_seconds()
    if is_raised and judged.looked_s - judged.since_s < _SETTLING_S:
        return {**due, Question.DATA: _DOUBT_S}
    return due if past.data_requests == 1 else _in_turn(due, past, config, now_s=seen.now_s)


def _in_turn(calm: Mapping[Question, float], past: Past, config: Config, *, now_s: float) -> Mapping[Question, float]:
    """Return what is asked where bytes cost two requests: of all that the storage must answer, one thing at a time."""

    def overdue_s(question: Question) -> float:
        return now_s - past.asked_s.get(question, _NEVER_S) - calm[question]

    remote = (Question.DATA, Question.THROUGH, Question.LISTING)
    first = max(remote, key=overdue_s)
    turn = first if overdue_s(first) >= -_SLACK_S else Question.CONTROL
    last_s = max(past.asked_s.get(question, _NEVER_S) for question in (*remote, Question.CONTROL))
    in_s = last_s + config.backend_interval.total_seconds() - past.asked_s.get(turn, _NEVER_S)
    return {**{question: s for question, s in calm.items() if question not in remote}, turn: in_s}


def _local() -> dict[Question, float]:
    return {Question.PROCESS: PROCESS_S, Question.CACHE: CACHE_S}


def _in_doubt(seen: Observation, judged: Judged) -> dict[Question, float]:
    due = {question: _hasty_s(judged.track(question)) for question in (Question.PROCESS, *_STORAGE)}
    due[Question.CACHE] = _OUTAGE_S
    if _may_read(seen, judged):
        due[Question.THROUGH] = _hasty_s(judged.track(Question.THROUGH))
    data = judged.track(Question.DATA)
    if not judged.answers_rc or (data.pending is not None and data.waited_s >= _DOUBT_S and _is_odd(data)):
        # It has short time limits of its own: rclone may be trying again and again what was refused at once.
        due[Question.DIRECT] = _DIRECT_S
    return due


def _hasty_s(track: Track) -> float:
    if track.outcome not in (Outcome.GOOD, None) and track.in_row == 1:
        return _SECOND_S
    return _DOUBT_S if track.outcome is Outcome.GOOD or track.in_row < _SETTLED else _OUTAGE_S


def _may_read(seen: Observation, judged: Judged) -> bool:
    """Tell whether somebody may be sent to read through the mount: not while the storage is silent, where he would be stuck, and
    the mount with him, when it is back."""
    data = judged.track(Question.DATA)
    gives = data.outcome is Outcome.GOOD and (data.pending is None or not _is_odd(data))
    return not seen.kernel.is_covered and (gives or not judged.answers_rc)


def _in_outage(seen: Observation, judged: Judged) -> dict[Question, float]:
    """What is known to be the matter is asked for its end: often enough that it is back within seconds."""
    often_s = _OUTAGE_S if judged.looked_s - judged.since_s < _LONG_S else _OUTAGE_LONG_S
    due = {**_local(), **dict.fromkeys((Question.PROCESS, *_STORAGE), often_s)}
    if _may_read(seen, judged):
        due[Question.THROUGH] = _DOUBT_S
    if judged.verdict in (Verdict.HUNG, Verdict.DEGRADED) or not judged.answers_rc:
        # Whether it is the storage, or this rclone alone, is told by another one.
        due[Question.DIRECT] = max(often_s, _DIRECT_S)
    return due


def _direct_s(gave_up_s: float | None) -> float:
    return _DIRECT_SELDOM_S if gave_up_s is not None and gave_up_s >= _GIVEN_UP_LONG_S else _DIRECT_S


def _through_alone_s(seen: Observation, judged: Judged, config: Config) -> float:
    """Whoever else's mount it is, reading is all that can be asked of it, and costs a process."""
    if is_in_doubt(seen, judged, config):
        return _DOUBT_S
    return config.backend_interval.total_seconds() if judged.verdict.is_proven else _OUTAGE_S


def is_in_doubt(seen: Observation, judged: Judged, config: Config) -> bool:
    """Tell whether anything does not agree with what is believed, so that everything is asked."""
    if judged.found is not judged.verdict and not (judged.found.is_proven and judged.verdict.is_proven):
        return True
    if not judged.verdict.is_proven:
        return not judged.is_certain
    waiting_since_s = seen.kernel.waiting_since_s
    if waiting_since_s is not None and seen.now_s - waiting_since_s >= max(
        _WAITING_S, judged.track(Question.DATA).usual_s * _ODD_TIMES
    ):
        return True
    bytes_s = judged.track(Question.DATA).good_s
    return any(
        _is_odd(track) and (question in (Question.DATA, Question.THROUGH) or track.asked_s > bytes_s)
        for question in (*_STORAGE, Question.PROCESS, Question.THROUGH)
        if (track := judged.track(question)).asked_s > float("-inf")
    )


def _is_odd(track: Track) -> bool:
    """Tell whether an answer is another than was to be expected, or none is there yet. One that is not good speaks only until
    bytes have come after it: who may read and not list is well."""
    if track.pending is not None and track.waited_s >= max(_ODD_S, _ODD_TIMES * track.usual_s):
        return True
    return track.outcome not in (Outcome.GOOD, None)


def _find_lost_questions(judged: Judged, config: Config) -> frozenset[Question]:
    """Return those that are late though others, asked later, are answered: an outage may have swallowed them, and a connection that
    died in it stays dead for rclone's whole timeout."""
    if judged.verdict.is_proven or judged.place is Place.MOUNT:
        return frozenset()
    is_over = max(judged.track(q).good_s for q in (*_STORAGE, Question.DIRECT)) > judged.fault_s
    late = (q for q in _STORAGE if judged.track(q).is_late(config))
    return frozenset(q for q in late if is_over and judged.track(q).asked_s < judged.fault_s)
