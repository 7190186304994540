"""Look at single paths and repair them at once: what the guard does with an event, and a request with the path that it names.

Nothing is held open between two calls, so that nobody's disk is kept busy by who only watches it.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Sequence

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed, PlexguardError
from plexguard.core.events import FilePath
from plexguard.core.journal import Journal
from plexguard.perms_audit import events
from plexguard.perms_audit.access import LIST, READ, Guise, Ownership, allows
from plexguard.perms_audit.act import Outcome, Repairer, RepairFailed
from plexguard.perms_audit.decide import Finding, Repair, decide, full_path
from plexguard.perms_audit.open import opened_above, opened_root
from plexguard.perms_audit.policy import Excludes, Policy
from plexguard.perms_audit.prove import Place
from plexguard.perms_audit.report import Causes, Report, add_cause
from plexguard.perms_audit.runs import Lately, RunLog, to_change
from plexguard.perms_audit.walk import make_finding

# So many repairs are told one by one in such a time; what is more is summed up.
_SINGLE = 20
_REPORT_S = 10.0
# A cause that stays is told again after this long.
_CAUSE_S = 3600.0
# A service that goes on for months has a new undo list every day.
_RUN_S = 86_400.0


class Mender:
    """Judges places as Plex's user, and repairs what that user cannot read.

    lately: what was repaired a short while ago, and is not repaired again before it has passed. ask_audit: called, with the
    reason, for what only a whole audit can judge.
    """

    def __init__(
        self,
        policy: Policy,
        guise: Guise,
        *,
        runs: RunLog,
        journal: Journal,
        clock: Clock,
        lately: Lately,
        dry_run: bool = False,
        ask_audit: Callable[[str], object] = str,
    ) -> None:
        self._policy = policy
        self._excludes = Excludes(policy.excludes)
        self._runs = runs
        self._journal = journal
        self._clock = clock
        self._dry_run = dry_run
        self._guise = guise
        self._lately = lately
        self._report = Report(journal, run=runs.run, single=_SINGLE)
        self._reported_s = clock.monotonic_s()
        self._left: Causes = {}
        self._told_s: dict[tuple[str, str], float] = {}
        self._ask_audit = ask_audit
        self._run_began_s = clock.monotonic_s()

    def check(self, places: Sequence[Place]) -> None:
        """Judge places and repair them. What cannot be looked at or repaired is told by `flush`; nothing is raised for it."""
        findings = [found for place in places if (found := self._judge(place)) is not None]
        if not findings:
            return
        try:
            self._lately.refresh(own_run=self._runs.run)
        except PlexguardError as error:
            for found in findings:
                self._leave(found, str(error))
            return
        plan = decide(findings, self._policy, self._lately)
        if plan.held_back:
            self._ask_audit("a file has several names, and only an audit can tell whether all of them lie below the roots")
        repairs = [step for step in plan.steps if isinstance(step, Repair)]
        for step in plan.steps:
            if not isinstance(step, Repair):
                self._leave(step.finding, step.reason)
        if not self._dry_run and not self._write_down(repairs):
            return
        with contextlib.closing(Repairer(self._policy.roots, self._guise)) as repairer:
            for step in repairs:
                self._repair(step, repairer)

    def _write_down(self, repairs: Sequence[Repair]) -> bool:
        """Write down what is about to be changed; without a way back nothing is."""
        try:
            self._runs.note(to_change(step, self._policy.roots[step.finding.root].path, self._clock) for step in repairs)
        except IoFailed as error:
            for step in repairs:
                self._leave(step.finding, str(error))
            return False
        return True

    def flush(self, *, last: bool = False) -> None:
        """Tell what was summed up, when it is time or this is the last, and each cause of what was left, once in a while."""
        if last or self._clock.monotonic_s() - self._reported_s >= _REPORT_S:
            self._report.flush()
            self._reported_s = self._clock.monotonic_s()
        if self._clock.monotonic_s() - self._run_began_s > _RUN_S:
            self._run_began_s = self._clock.monotonic_s()
            self._runs.renew()
            self._report.run = self._runs.run
        now_s = self._clock.monotonic_s()
        for (root, reason), cause in self._left.items():
            if now_s - self._told_s.get((root, reason), -_CAUSE_S) >= _CAUSE_S:
                self._told_s[root, reason] = now_s
                path = FilePath(cause.example)
                self._journal.send(events.NOT_REPAIRED, root=FilePath(root), path=path, reason=reason, count=cause.count)
        self._left.clear()

    def _judge(self, place: Place) -> Finding | None:
        """Return what is wrong with a place, None when nothing is, or when it is not there any more."""
        root = self._policy.roots[place.root]
        path = root.full_path(place.path)
        if self._excludes.excludes_below(path, root.path) or self._policy.is_apart(root, path):
            return None
        try:
            with opened_root(root.path, guarded=root.guarded) as root_fd, opened_above(root_fd, place.path) as (folder_fd, name):
                return self._judge_entry(place, name, folder_fd)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP, errno.EXDEV):
                self._note_left(place.root, path, error.strerror or str(error))
            return None

    def _judge_entry(self, place: Place, name: str, folder_fd: int) -> Finding | None:
        status = os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
        is_folder = stat.S_ISDIR(status.st_mode)
        if not is_folder and not stat.S_ISREG(status.st_mode):
            return None
        root = self._policy.roots[place.root]
        want = self._policy.want_of(root.full_path(place.path))
        denied = self._is_denied(name, folder_fd, status, is_folder=is_folder)
        if not denied and want.fits(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_folder=is_folder):
            return None
        return make_finding(place.root, place.path, name, folder_fd, status, denied=denied, opened=True)

    def _is_denied(self, name: str, folder_fd: int, status: os.stat_result, *, is_folder: bool) -> bool:
        need = LIST if is_folder else READ
        if self._guise.asks_kernel:
            with self._guise.worn():
                # Behind a closed folder everything is refused; that is the folder's fault, and a finding of its own.
                if os.access(".", os.X_OK, dir_fd=folder_fd, effective_ids=True) or name == ".":
                    # One by one: with an ACL each right may come from another group.
                    rights = (os.R_OK, os.X_OK) if is_folder else (os.R_OK,)
                    return not all(os.access(name, r, dir_fd=folder_fd, effective_ids=True, follow_symlinks=False) for r in rights)
        owned = Ownership(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        return not allows(owned, self._policy.identity, need)

    def _repair(self, step: Repair, repairer: Repairer) -> None:
        path, root = full_path(self._policy, step.finding), self._policy.roots[step.finding.root].path
        if not self._dry_run:
            try:
                if repairer.repair(step) is Outcome.GONE:
                    return
            except RepairFailed as error:
                self._runs.note_failed(to_change(step, root, self._clock))
                self._leave(step.finding, str(error))
                return
            self._lately.add(path, step.finding.inode)
        self._report.tell(step, path, root=root, dry=self._dry_run)

    def _leave(self, finding: Finding, reason: str) -> None:
        self._note_left(finding.root, full_path(self._policy, finding), reason)

    def _note_left(self, root: int, path: str, reason: str) -> None:
        add_cause(self._left, (self._policy.roots[root].path, reason), path)
