"""One audit from beginning to end: walk, decide, act, and the account of it."""

import json
from dataclasses import dataclass, field
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.events import FilePath, Mode
from plexguard.core.journal import Journal
from plexguard.core.mounts import MountPoint
from plexguard.perms_audit import events
from plexguard.perms_audit.act import Outcome, Repairer, RepairFailed
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import Leave, Plan, Policy, Repair, Step, decide, decide_linked, full_path
from plexguard.perms_audit.observe import Root
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.walk import FILE_NEED, FOLDER_NEED, Batch, Demand, Finding, Walk


@dataclass(slots=True)
class Cause:
    """Why some paths were left, with how many and the first of them."""

    count: int
    example: str


@dataclass(slots=True)
class Account:
    """What an audit found and did. changes: (path, old mode, new mode), only kept when the whole list is asked for."""

    files: int = 0
    folders: int = 0
    wrong: int = 0
    repaired: int = 0
    failed: int = 0
    seconds: float = 0.0
    root_faults: dict[str, RootFault] = field(default_factory=dict)
    left: dict[tuple[str, str], Cause] = field(default_factory=dict)
    unseen: dict[tuple[str, str], Cause] = field(default_factory=dict)
    changes: list[tuple[str, Mode, Mode]] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return not (self.failed or self.root_faults or self.unseen)

    def to_json(self) -> str:
        """Return the report for programs. Bytes of names that are no UTF-8 appear as \\udcXX."""
        report: dict[str, Any] = {name: getattr(self, name) for name in ("files", "folders", "wrong", "repaired", "failed")}
        report["seconds"] = round(self.seconds, 3)
        report["root_faults"] = [{"root": root, "fault": fault.name.lower()} for root, fault in self.root_faults.items()]
        report["left"] = _causes_json(self.left)
        report["unseen"] = _causes_json(self.unseen)
        report["changes"] = [{"path": p, "old_mode": str(old), "new_mode": str(new)} for p, old, new in self.changes]
        return json.dumps(report, indent=1)


def _causes_json(causes: dict[tuple[str, str], Cause]) -> list[dict[str, Any]]:
    return [{"root": root, "reason": reason, "count": c.count, "example": c.example} for (root, reason), c in causes.items()]


class Audit:
    """Walks the roots and repairs, or only reports, what is wrong, batch by batch."""

    def __init__(
        self,
        roots: tuple[Root, ...],
        config: Config,
        mounts: tuple[MountPoint, ...],
        *,
        journal: Journal,
        clock: Clock,
        workers: int,
    ) -> None:
        self._roots = roots
        self._config = config
        self._clock = clock
        self._journal = journal
        self._workers = workers
        self._walked = tuple(root.path for root in roots if root.fault is None)
        self._policy = Policy(file_mode=config.file_mode, dir_mode=config.dir_mode, roots=self._walked, mounts=mounts)
        self._repairer = Repairer(self._walked)
        self._seen_files = [0] * len(self._walked)
        self._held_back: list[Finding] = []
        self.account = Account()
        self.keep_changes = False

    def run(self, *, recent: bool) -> Account:
        """Audit everything, or what changed recently; repair unless it is a dry run; tell it all."""
        began = self._clock.monotonic_s()
        for root in self._roots:
            if root.fault is not None or root.part_missing:
                self._tell_root_fault(root.part_missing or root.path, root.fault or RootFault.NOT_MOUNTED)
        with self._walk(recent) as walk:
            for batch in walk:
                self._take(batch, walk)
        linked = decide_linked(self._held_back, self._policy)
        self.account.wrong -= len(self._held_back) - len(linked.steps)  # one file, however many names
        self._carry_out(linked, None)
        self._repairer.close()
        self._find_empty_roots()
        self.account.seconds = self._clock.monotonic_s() - began
        self._tell_causes()
        self._tell_summary()
        return self.account

    def find_first(self, *, recent: bool) -> tuple[str | None, Account]:
        """Return the first path that Plex cannot read, or None; change nothing. For health checks."""
        for root in self._roots:
            if root.fault is not None or root.part_missing:
                self._tell_root_fault(root.part_missing or root.path, root.fault or RootFault.NOT_MOUNTED)
        with self._walk(recent) as walk:
            for batch in walk:
                if batch.findings:
                    return full_path(self._walked, batch.findings[0]), self.account
                self._count(batch)
        self._find_empty_roots()
        self._tell_causes()
        return None, self.account

    def _walk(self, recent: bool) -> Walk:
        since = (self._clock.now() - self._config.changed_within).timestamp() if recent else None
        demand = Demand(
            file_bits=self._config.file_mode & FILE_NEED, folder_bits=self._config.dir_mode & FOLDER_NEED, changed_since=since
        )
        stall_timeout_s = self._config.stall_timeout.total_seconds()
        return Walk(self._walked, demand, workers=self._workers, stall_timeout_s=stall_timeout_s)

    def _take(self, batch: Batch, walk: Walk) -> None:
        self._count(batch)
        self.account.wrong += len(batch.findings)
        plan = decide(batch.findings, self._policy)
        self._held_back += plan.held_back
        self._carry_out(plan, walk)

    def _count(self, batch: Batch) -> None:
        if batch.root_fault is not None:
            self._tell_root_fault(self._walked[batch.root], batch.root_fault)
        self.account.files += batch.files
        self.account.folders += batch.folders
        self._seen_files[batch.root] += batch.seen_files
        for path, reason in batch.faults:
            root = self._walked[batch.root]
            _add(self.account.unseen, (root, reason), f"{root}/{path}".rstrip("/"))

    def _carry_out(self, plan: Plan, walk: Walk | None) -> None:
        for step in plan.steps:
            self._do(step, walk)

    def _do(self, step: Step, walk: Walk | None) -> None:
        path = full_path(self._walked, step.finding)
        if isinstance(step, Leave):
            self._leave(step.finding, step.reason)
        elif self._config.dry_run:
            self._note(path, step)
            self._journal.send(events.FOUND, path=FilePath(path), old_mode=step.finding.mode, new_mode=step.new_mode)
            self._note_unseen(step.finding)
        else:
            self._repair(path, step, walk)

    def _repair(self, path: str, step: Repair, walk: Walk | None) -> None:
        try:
            outcome = self._repairer.repair(step)
        except RepairFailed as error:
            self._leave(step.finding, str(error))
            return
        if outcome is Outcome.GONE:
            # Somebody else was quicker: it is judged afresh by the next run, and is no fault of this one.
            self.account.wrong -= 1
            return
        self.account.repaired += 1
        self._note(path, step)
        self._journal.send(events.REPAIRED, path=FilePath(path), old_mode=step.finding.mode, new_mode=step.new_mode)
        if step.finding.is_folder and not step.finding.opened and walk is not None:
            self.account.folders -= 1  # it comes again
            walk.add(step.finding.root, step.finding.path)

    def _note(self, path: str, step: Repair) -> None:
        if self.keep_changes:
            self.account.changes.append((path, step.finding.mode, step.new_mode))

    def _leave(self, finding: Finding, reason: str) -> None:
        self.account.failed += 1
        _add(self.account.left, (self._walked[finding.root], reason), full_path(self._walked, finding))
        self._note_unseen(finding)

    def _note_unseen(self, finding: Finding) -> None:
        """A folder that is closed to this user and stays so: what lies in it is not known."""
        if finding.is_folder and not finding.opened:
            _add(self.account.unseen, (self._walked[finding.root], "Permission denied"), full_path(self._walked, finding))

    def _find_empty_roots(self) -> None:
        """Tell the roots that hold no file, as far as that can be known."""
        partly_seen = {root for root, _ in self.account.unseen}
        for number, path in enumerate(self._walked):
            if not self._seen_files[number] and path not in self.account.root_faults and path not in partly_seen:
                self._tell_root_fault(path, RootFault.EMPTY)

    def _tell_root_fault(self, path: str, fault: RootFault) -> None:
        if path not in self.account.root_faults:
            self.account.root_faults[path] = fault
            self._journal.send(events.ROOT_FAULT, root=FilePath(path), reason=fault.value)

    def _tell_causes(self) -> None:
        for (root, reason), cause in self.account.left.items():
            self._journal.send(
                events.NOT_REPAIRED, root=FilePath(root), path=FilePath(cause.example), reason=reason, count=cause.count
            )
        for (root, reason), cause in self.account.unseen.items():
            self._journal.send(events.UNSEEN, root=FilePath(root), path=FilePath(cause.example), reason=reason, count=cause.count)

    def _tell_summary(self) -> None:
        account = self.account
        self._journal.send(
            events.AUDITED,
            files=account.files,
            folders=account.folders,
            wrong=account.wrong,
            repaired=account.repaired,
            failed=account.failed,
            seconds=account.seconds,
            roots=len(self._walked),
        )


def _add(causes: dict[tuple[str, str], Cause], key: tuple[str, str], path: str) -> None:
    cause = causes.setdefault(key, Cause(0, path))
    cause.count += 1
