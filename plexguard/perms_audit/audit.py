"""One audit from beginning to end: walk, decide, act, and the account of it."""

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from plexguard.core.clock import Clock
from plexguard.core.errors import IoFailed
from plexguard.core.events import FilePath, Mode
from plexguard.core.journal import Journal
from plexguard.core.mounts import is_below
from plexguard.perms_audit import events
from plexguard.perms_audit.act import Outcome
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.decide import Finding, Plan, Repair, decide, decide_linked, full_path
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.report import Causes, Report, add_cause, put_words
from plexguard.perms_audit.roots import Root, RootFault
from plexguard.perms_audit.runs import RunLog, to_change
from plexguard.perms_audit.walk import Batch
from plexguard.perms_audit.workers import Done, Workers

_CLOSED = "Permission denied"


@dataclass(slots=True)
class Account:
    """What an audit found and did. Causes are by (root, reason). changes: (path, old mode, new mode), only kept when the whole
    list is asked for."""

    files: int = 0
    folders: int = 0
    wrong: int = 0
    repaired: int = 0
    failed: int = 0
    seconds: float = 0.0
    run: str = ""
    root_faults: dict[str, RootFault] = field(default_factory=dict)
    left: Causes = field(default_factory=dict)
    unseen: Causes = field(default_factory=dict)
    no_media: Causes = field(default_factory=dict)
    blocked: dict[str, tuple[str, str]] = field(default_factory=dict)
    read_only: set[str] = field(default_factory=set)
    changes: list[tuple[str, Mode, Mode]] = field(default_factory=list)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return what was left to the watchdog of its mount."""
        return tuple(path for path, fault in self.root_faults.items() if fault is RootFault.NOT_PROVEN)

    @property
    def is_well(self) -> bool:
        return not (self.failed or self.root_faults or self.unseen or self.blocked)

    def to_json(self) -> str:
        """Return the report for programs. Bytes of names that are no UTF-8 appear as \\udcXX."""
        report: dict[str, Any] = {name: getattr(self, name) for name in ("run", "files", "folders", "wrong", "repaired", "failed")}
        report["seconds"] = round(self.seconds, 3)
        report["root_faults"] = [{"root": root, "fault": fault.name.lower()} for root, fault in self.root_faults.items()]
        report["blocked"] = [{"root": root, "folder": folder, "reason": why} for root, (folder, why) in self.blocked.items()]
        for name in ("left", "unseen", "no_media"):
            report[name] = _causes_json(getattr(self, name))
        report["changes"] = [{"path": p, "old_mode": str(old), "new_mode": str(new)} for p, old, new in self.changes]
        return json.dumps(report, indent=1)


def _causes_json(causes: Causes) -> list[dict[str, Any]]:
    return [{"root": root, "reason": reason, "count": c.count, "example": c.example} for (root, reason), c in causes.items()]


class Audit:
    """Walks the roots and repairs, or only reports, what is wrong, batch by batch.

    faulty: roots that must not be walked. runs: where changes are written down first, None for an audit that makes none.
    lately: paths that were repaired a short while ago. told: what an earlier run told already, by its words, with the count; it
    is not told again; left_out: the same of roots whose mount is not proven.
    """

    def __init__(
        self,
        policy: Policy,
        config: Config,
        *,
        journal: Journal,
        clock: Clock,
        workers: int,
        faulty: Sequence[Root] = (),
        runs: RunLog | None = None,
        lately: Container[tuple[str, int]] = (),
        told: dict[str, int] | None = None,
        left_out: Container[str] = (),
    ) -> None:
        self._policy = policy
        self._config = config
        self._faulty = faulty
        self._clock = clock
        self._journal = journal
        self._workers = workers
        self._runs = runs
        self._lately = lately
        self._told_before = told or {}
        self._left_out_before = left_out
        self._report = Report(journal, run=runs.run if runs is not None else "")
        self._seen_files = [0] * len(policy.roots)
        self._held_back: list[Finding] = []
        # Folders that stay closed to Plex, and are walked with other rights: they are not found twice.
        self._closed: set[tuple[int, str]] = set()
        self.account = Account()
        self.told: dict[str, int] = {}
        self.keep_changes = False

    def run(self, *, recent: bool) -> Account:
        """Audit everything, or what changed recently; repair unless it is a dry run; tell it all."""
        began_s = self._clock.monotonic_s()
        began_ns = int(self._clock.now().timestamp() * 1e9)
        self._tell_faulty()
        with self._start(recent) as workers:
            self._take_all(workers)
            linked = decide_linked(self._held_back, self._policy, self._lately, began_ns=began_ns)
            self.account.wrong -= len(self._held_back) - len(linked.steps)  # one file, however many names
            self._carry_out(linked, workers)
            self._take_all(workers)
        self._find_empty_roots()
        self.account.seconds = self._clock.monotonic_s() - began_s
        self.account.run = self._report.run if self._runs is not None and self._runs.is_begun else ""
        self._report.flush()
        self._tell_causes()
        self._tell_summary()
        return self.account

    def find_first(self, *, recent: bool) -> tuple[str | None, Account]:
        """Return the first path that Plex cannot read, or None; change nothing. For health checks."""
        self._tell_faulty()
        with self._start(recent) as workers:
            for answer in workers:
                if isinstance(answer, Batch):
                    denied = next((finding for finding in answer.findings if finding.denied), None)
                    if denied is not None:
                        return full_path(self._policy, denied), self.account
                    self._count(answer)
                    if self.account.blocked:
                        return next(iter(self.account.blocked.values()))[0], self.account
        self._find_empty_roots()
        self._tell_causes()
        return None, self.account

    def _start(self, recent: bool) -> Workers:
        since = (self._clock.now() - self._config.changed_within).timestamp() if recent else None
        return Workers(
            self._policy,
            changed_since=since,
            workers=self._workers,
            most_workers=self._config.workers or None,
            stall_timeout_s=self._config.stall_timeout.total_seconds(),
        )

    def _take_all(self, workers: Workers) -> None:
        for answer in workers:
            if isinstance(answer, Done):
                self._take_repairs(answer, workers)
            else:
                self._take_batch(answer, workers)

    def _take_batch(self, batch: Batch, workers: Workers) -> None:
        self._count(batch)
        findings = []
        for finding in batch.findings:
            if (finding.root, finding.path) not in self._closed:
                findings.append(finding)
            elif finding.is_folder and not finding.opened:
                # Closed in spite of everything: what lies in it is not known.
                add_cause(self.account.unseen, (self._policy.roots[finding.root].path, _CLOSED), full_path(self._policy, finding))
        self.account.wrong += len(findings)
        plan = decide(findings, self._policy, self._lately)
        self._held_back += plan.held_back
        self._carry_out(plan, workers)

    def _count(self, batch: Batch) -> None:
        root = self._policy.roots[batch.root]
        if batch.root_fault is not None:
            self._tell_root_fault(root.path, batch.root_fault)
        if batch.blocked is not None and root.path not in self.account.blocked:
            self.account.blocked[root.path] = batch.blocked
        # A guarded mount is as it is configured, most often read-only, and has the modes that rclone gives it.
        if batch.is_read_only and not root.guarded:
            self.account.read_only.add(root.path)
        self.account.files += batch.files
        self.account.folders += batch.folders
        self._seen_files[batch.root] += batch.seen_files
        for path, reason in batch.faults:
            add_cause(self.account.unseen, (root.path, reason), root.full_path(path))
        for path, kind in batch.specials:
            add_cause(self.account.no_media, (root.path, f"is {kind}"), root.full_path(path))

    def _carry_out(self, plan: Plan, workers: Workers) -> None:
        repairs: dict[int, list[Repair]] = {}
        for step in plan.steps:
            if not isinstance(step, Repair):
                self._leave(step.finding, step.reason, workers)
            elif self._config.dry_run:
                self._tell_repair(step, dry=True)
                self._walk_closed(step.finding, workers)
            else:
                repairs.setdefault(step.finding.root, []).append(step)
        for root, steps in repairs.items():
            if self._write_down(steps, workers):
                workers.repair(root, steps)

    def _write_down(self, steps: Sequence[Repair], workers: Workers) -> bool:
        """Write down what is about to be changed; without a way back nothing is."""
        try:
            if self._runs is not None:
                self._runs.note(to_change(step, self._policy.roots[step.finding.root].path, self._clock) for step in steps)
        except IoFailed as error:
            for step in steps:
                self._leave(step.finding, str(error), workers)
            return False
        return True

    def _note_failed(self, step: Repair) -> None:
        if self._runs is not None:
            self._runs.note_failed(to_change(step, self._policy.roots[step.finding.root].path, self._clock))

    def _take_repairs(self, done: Done, workers: Workers) -> None:
        for step, result in done.results:
            if isinstance(result, str):
                self._note_failed(step)
                self._leave(step.finding, result, workers)
            elif result is Outcome.GONE:
                # Somebody else was quicker: it is judged afresh by the next run, and is no fault of this one.
                self.account.wrong -= 1
                self._walk_again(step.finding, workers)
            else:
                self.account.repaired += 1
                self._tell_repair(step, dry=False)
                self._walk_again(step.finding, workers)

    def _walk_again(self, finding: Finding, workers: Workers) -> None:
        if finding.is_folder and not finding.opened and (finding.root, finding.path) not in self._closed:
            # Once: a folder that is closed again and again must not keep an audit busy.
            self._closed.add((finding.root, finding.path))
            self.account.folders -= 1  # it comes again
            workers.walk(finding.root, finding.path)

    def _walk_closed(self, finding: Finding, workers: Workers) -> None:
        """Look into a folder that stays closed to Plex with root's rights: by modes alone, since below it nothing can be tried."""
        if finding.is_folder and not finding.opened and (finding.root, finding.path) not in self._closed:
            self._closed.add((finding.root, finding.path))
            self.account.folders -= 1
            workers.walk(finding.root, finding.path, closed=True)

    def _tell_repair(self, step: Repair, *, dry: bool) -> None:
        path = full_path(self._policy, step.finding)
        if self.keep_changes:
            self.account.changes.append((path, step.finding.mode, step.new_mode))
        self._report.tell(step, path, root=self._policy.roots[step.finding.root].path, dry=dry)

    def _leave(self, finding: Finding, reason: str, workers: Workers) -> None:
        root = self._policy.roots[finding.root].path
        self.account.failed += 1
        add_cause(self.account.left, (root, reason), full_path(self._policy, finding))
        self._walk_closed(finding, workers)

    def _find_empty_roots(self) -> None:
        """Tell the roots that hold no file, as far as that can be known."""
        partly_seen = {root for root, _ in self.account.unseen}
        for number, root in enumerate(self._policy.roots):
            holds_others = any(self._seen_files[n] for n, r in enumerate(self._policy.roots) if r.path.startswith(root.path + "/"))
            if (
                self._seen_files[number]
                or holds_others
                or root.only
                or root.path in partly_seen
                or any(is_below(path, root.path) for path in self.account.root_faults)
            ):
                continue
            self._tell_root_fault(root.path, RootFault.EMPTY)

    def _tell_faulty(self) -> None:
        for root in self._faulty:
            # Once for a mount, however many libraries lie on it.
            place = root.part_missing or (root.guarded if root.fault is not RootFault.SYSTEM_FOLDER else "") or root.path
            self._tell_root_fault(place, root.fault or RootFault.NOT_MOUNTED)

    def _tell_root_fault(self, path: str, fault: RootFault) -> None:
        if path in self.account.root_faults:
            return
        self.account.root_faults[path] = fault
        if fault is not RootFault.NOT_PROVEN:
            if self._is_news(put_words(events.ROOT_FAULT, path, fault.name), 1):
                self._journal.send(events.ROOT_FAULT, root=FilePath(path), reason=fault.value)
        elif path not in self._left_out_before:
            self._journal.send(events.ROOT_LEFT_OUT, root=FilePath(path))

    def _is_news(self, words: str, count: int) -> bool:
        """Note a state, and tell whether it is another than the last run left."""
        self.told[words] = count
        return self._told_before.get(words) != count

    def _tell_causes(self) -> None:
        for causes, event in (
            (self.account.left, events.NOT_REPAIRED),
            (self.account.unseen, events.UNSEEN),
            (self.account.no_media, events.NO_MEDIA),
        ):
            for (root, reason), cause in causes.items():
                if self._is_news(put_words(event, root, reason), cause.count):
                    path = FilePath(cause.example)
                    self._journal.send(event, root=FilePath(root), path=path, reason=reason, count=cause.count)
        for root, (folder, reason) in self.account.blocked.items():
            if self._is_news(put_words(events.BLOCKED, root, f"{folder}: {reason}"), 1):
                self._journal.send(events.BLOCKED, root=FilePath(root), folder=FilePath(folder), reason=reason)
        for root in () if self._config.dry_run else sorted(self.account.read_only):
            if self._is_news(put_words(events.READ_ONLY, root), 1):
                self._journal.send(events.READ_ONLY, root=FilePath(root))

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
            roots=len(self._policy.roots),
            run=account.run,
        )
