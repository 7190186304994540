"""A mount looked at once, whoever has made it: what it is found to be, and what was seen at each rung of the ladder."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from plexguard.core.child import in_child
from plexguard.core.clock import Clock
from plexguard.core.errors import MissingInput, TryAgain
from plexguard.core.mounts import mount_of, parse_mountinfo
from plexguard.rclone_watchdog.asking.kernel import find_lines, is_expected
from plexguard.rclone_watchdog.asking.prober import MountProber
from plexguard.rclone_watchdog.asking.rc import ADDRESS_FILE
from plexguard.rclone_watchdog.config import Config, Mount
from plexguard.rclone_watchdog.judging.find import find
from plexguard.rclone_watchdog.judging.judge import judge
from plexguard.rclone_watchdog.judging.known import Finding, Judged, answer_to
from plexguard.rclone_watchdog.observe import Answer, Kernel, Observation, Outcome, Question
from plexguard.rclone_watchdog.states import Verdict

# Who looks by hand waits: what has not answered by then hangs, for him.
_ANSWER_LIMIT = timedelta(seconds=2)
_LIMIT_S = 6.0
_LOOK_S = 0.1
# A path that is looked up in a mount that is well.
_LOOKUP_S = 2.0
# How long one waits for a reader that was killed.
_END_S = 1.0
_ASKED = (Question.PROCESS, Question.CONTROL, Question.DATA, Question.LISTING, Question.THROUGH)
_RUNGS = {
    Question.PROCESS: "rclone answers",
    Question.CONTROL: "a file is there",
    Question.LISTING: "its top lists",
    Question.DATA: "bytes of the storage",
    Question.THROUGH: "bytes through the mount",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """outcome: of observe.Outcome, or "seen" of what the kernel tells. latency_s: None of what nobody was asked for."""

    name: str
    outcome: str
    latency_s: float | None = None
    about: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """path: what was asked for. mount_point: of the mount that it lies on. stuck_pid: our reader that the kernel holds, 0: none."""

    path: str
    mount_point: str
    verdict: Verdict
    reason: str
    rungs: tuple[Rung, ...] = ()
    stuck_pid: int = 0


def find_target(path: str, table: str) -> str:
    """Return the mount point that a path lies on. Raises MissingInput where there is no such path.

    table: of proc_pid_mountinfo(5). The path is only looked up in a process that can be given up, and where that hangs or fails for
    another reason, it is there for all that is known.
    """
    if find_lines(table, path):
        return path
    outer = mount_of(path, parse_mountinfo(table))
    try:
        in_child(Path(path).lstat, timeout_s=_LOOKUP_S)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingInput(f"{path}: no such file or folder") from error
    except (TryAgain, OSError):
        return outer.path
    # Of a local disk nothing is to be proven here: nothing is mounted where something was meant.
    return outer.path if outer.is_remote else path


def probe(path: str, mount: Mount, *, prober: MountProber, clock: Clock, config: Config) -> Probed:
    """Ask everything once, and say what it is. path: at or below the mount point. It ends within seconds, whatever hangs."""
    config = dataclasses.replace(config, answer_limit=min(config.answer_limit, _ANSWER_LIMIT))
    deadline_s = clock.monotonic_s() + _LIMIT_S
    seen, judged = prober.look(), Judged()
    judged = judge(seen, judged, mount, config)
    prober.ask(_questions(mount))
    while clock.monotonic_s() < deadline_s and not _is_over(seen, judged, mount):
        clock.sleep(_LOOK_S)
        seen = prober.look()
        judged = judge(seen, judged, mount, config)
        # One that did not come well says it twice before it is believed.
        prober.ask([q for q in _questions(mount) if _is_bad(answer_to(seen, q)) and judged.track(q).in_row < 2])
    prober.close()
    end_s = clock.monotonic_s() + _END_S
    while prober.stuck_pid and clock.monotonic_s() < end_s:
        clock.sleep(_LOOK_S / 10)
    finding = _find(seen, judged, mount, config)
    rungs = (*_see_kernel(seen.kernel), *_see_answers(seen, mount))
    return Probed(
        path=path,
        mount_point=mount.mount_point,
        verdict=finding.verdict,
        reason=finding.reason,
        rungs=rungs,
        stuck_pid=prober.stuck_pid,
    )


def _find(seen: Observation, judged: Judged, mount: Mount, config: Config) -> Finding:
    """Return what is believed, or else what the last look has found."""
    if judged.verdict is not Verdict.UNKNOWN:
        return dataclasses.replace(judged.finding, verdict=judged.verdict)
    return find(seen, judged, mount, config, None)


def _questions(mount: Mount) -> tuple[Question, ...]:
    return _ASKED if mount.is_ours else (Question.THROUGH,)


def _is_bad(answer: Answer | None) -> bool:
    return answer is not None and not answer.is_pending and answer.outcome is not Outcome.GOOD


def _is_over(seen: Observation, judged: Judged, mount: Mount) -> bool:
    """Tell whether nothing more can be learned: the kernel says it, or all have answered and it is known what it is."""
    if judged.verdict is not Verdict.UNKNOWN and not judged.verdict.is_proven and (judged.finding.is_plain or judged.is_certain):
        return True
    answers = [answer_to(seen, question) for question in _questions(mount)]
    return judged.verdict is not Verdict.UNKNOWN and all(a is not None and not a.is_pending for a in answers)


def _see_kernel(kernel: Kernel) -> Iterator[Rung]:
    if kernel.is_mounted:
        waiting = "" if kernel.waiting is None else f", {kernel.waiting} requests waiting"
        detail = f"{kernel.type} from {kernel.source or 'nowhere'}, device {kernel.device}{waiting}"
    else:
        detail = "nothing"
    yield Rung(name="mounted there", outcome="seen", detail=detail)
    if kernel.is_covered:
        yield Rung(name="cover", outcome="seen", detail="plexguard has covered it until it is proven")
    if kernel.rclone_pid:
        yield Rung(name="rclone", outcome="seen", detail=f"pid {kernel.rclone_pid}, state {kernel.rclone_state}")


def _see_answers(seen: Observation, mount: Mount) -> Iterator[Rung]:
    for question, name in _RUNGS.items():
        answer = answer_to(seen, question)
        if question not in _questions(mount) or answer is None:
            continue
        detail = answer.detail
        if question is Question.LISTING and answer.outcome is Outcome.GOOD and seen.listing is not None:
            detail = f"{seen.listing.entries} entries"
        yield Rung(name=name, outcome=answer.outcome.value, latency_s=answer.latency_s, about=answer.about, detail=detail)


def choose_mount(target: str, mounts: Mapping[str, Mount], *, table: str, runtime: Path) -> tuple[Mount, Path]:
    """Return the configured mount of a mount point, or one that stands for whatever is there, and where its rclone can be asked.

    Its rclone's address is for root and its own user: others read through it only, as of any other mount.
    """
    for name, mount in mounts.items():
        if mount.mount_point.rstrip("/") != target.rstrip("/"):
            continue
        lines = find_lines(table, mount.mount_point)
        is_ours = bool(lines) and is_expected(lines[-1], mount)
        if is_ours and mount.is_ours and not _may_ask(runtime / name):
            return dataclasses.replace(mount, remote=""), runtime / name
        return mount, runtime / name
    return Mount(mount_point=target), runtime


def _may_ask(runtime: Path) -> bool:
    try:
        (runtime / ADDRESS_FILE).stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(runtime / ADDRESS_FILE, os.R_OK)
