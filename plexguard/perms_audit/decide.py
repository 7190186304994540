"""From findings to steps: what is repaired, how, and what is left alone and why. Pure."""

import dataclasses
import stat
from collections.abc import Container, Sequence
from dataclasses import dataclass

from plexguard.core.events import Mode
from plexguard.perms_audit.access import LIST, READ, Ownership, allows, explain
from plexguard.perms_audit.policy import Policy, Want
from plexguard.perms_audit.roots import RootFault, is_private


@dataclass(frozen=True, slots=True)
class Link:
    """One of several names of a file. folder: the inode of the folder it is in. changed_ns: the file's ctime when it was met."""

    folder: int
    name: str
    changed_ns: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A file or folder that is not as it should be.

    root: its number. path: below its root, "" for the root itself. owned: mode and owner as found. denied: Plex cannot read
    it; else only its mode or owner is another than wanted. opened: a folder's content was walked. link: for a file that has
    more than one name.
    """

    root: int
    path: str
    is_folder: bool
    owned: Ownership
    denied: bool
    device: int
    inode: int
    links: int
    opened: bool = False
    link: Link | None = None

    @property
    def mode(self) -> Mode:
        return Mode(self.owned.mode)


@dataclass(frozen=True, slots=True)
class Repair:
    """Give a path the mode and owner that it should have. reason: what was wrong. uid, gid: -1 to leave it as it is."""

    finding: Finding
    new_mode: Mode
    reason: str
    uid: int = -1
    gid: int = -1


@dataclass(frozen=True, slots=True)
class Leave:
    """Touch nothing and say why."""

    finding: Finding
    reason: str


Step = Repair | Leave
IS_SET_ID = "is a set-id file, which is no media"
IS_BARE = "is the folder below a mount of plexguard-rclone-watchdog, or its cover, and is as it is on purpose"
HAS_FOREIGN_NAME = "has another name (a hard link) outside the roots"
HAS_NEW_NAME = "has several names (hard links), and they changed while it was looked at; left for the next audit"
# Some file systems keep times in whole seconds (ext4 with small inodes), and the kernel's own go by ticks.
_COARSE_NS = 2_000_000_000
DOES_NOT_HOLD = "was repaired, or taken back by undo, a while ago, and is closed again: left for now (repeat_after)"


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order that is safe to stop after any of them, and findings that only the end of the walk can judge."""

    steps: tuple[Step, ...]
    held_back: tuple[Finding, ...] = ()


def decide(findings: Sequence[Finding], policy: Policy, lately: Container[tuple[str, int]] = ()) -> Plan:
    """Return what to do about a batch. Folders come first, outer before inner, so that a stop leaves whole paths open.

    lately: files, by path and inode, that were repaired so short a time ago that they are not repaired again. Files with
    several names are held back: all names must lie below the roots, and only the whole walk has seen them.
    """
    ordered = sorted(findings, key=lambda f: (not f.is_folder, f.path.count("/"), f.path))
    held_back = tuple(f for f in ordered if has_other_names(f))
    steps = tuple(_judge(f, policy, lately) for f in ordered if not has_other_names(f))
    return Plan(steps, held_back)


def decide_linked(findings: Sequence[Finding], policy: Policy, lately: Container[tuple[str, int]] = (), *, began_ns: int) -> Plan:
    """Return what to do about files with several names, when all of them are known. began_ns: when the walk began.

    A file that also has a name outside the roots is left alone: who can make such a link could otherwise have root open
    a file that is not media. Nor must they make one name look like two by carrying it on before the walk. To rename it
    sets the file's ctime, so that must be from before the walk; and to rename its folder leaves it in the same folder, so
    names are told apart by that and not by their path.
    """
    names: dict[tuple[int, int], list[Finding]] = {}
    for finding in findings:
        names.setdefault((finding.device, finding.inode), []).append(finding)
    steps: list[Step] = []
    for group in names.values():
        links = [finding.link for finding in group if finding.link is not None]
        changed_ns = {link.changed_ns for link in links}
        if len(changed_ns) != 1 or max(changed_ns) > began_ns - _COARSE_NS:
            steps.append(Leave(group[0], HAS_NEW_NAME))
        elif len({(link.folder, link.name) for link in links}) < group[0].links:
            steps.append(Leave(group[0], HAS_FOREIGN_NAME))
        else:
            steps.append(_judge(group[0], policy, lately))
    return Plan(tuple(steps))


def has_other_names(finding: Finding) -> bool:
    return not finding.is_folder and finding.links > 1


def full_path(policy: Policy, finding: Finding) -> str:
    return policy.roots[finding.root].full_path(finding.path)


def _judge(finding: Finding, policy: Policy, lately: Container[tuple[str, int]]) -> Step:
    root, path = policy.roots[finding.root], full_path(policy, finding)
    if not finding.is_folder and finding.owned.mode & (stat.S_ISUID | stat.S_ISGID):
        return Leave(finding, IS_SET_ID)
    if not finding.path and finding.denied and is_private(root, finding.owned.mode, finding.owned.uid):
        return Leave(finding, RootFault.PRIVATE.value)
    if (
        finding.is_folder
        and finding.owned.uid == policy.guard_uid >= 0
        and (path in policy.guarded or not finding.owned.mode & 0o077)
    ):
        # Whatever names and tables said a moment ago: a mount that has just gone leaves such a folder behind.
        return Leave(finding, IS_BARE)
    if (path, finding.inode) in lately:
        return Leave(finding, DOES_NOT_HOLD)
    want = policy.want_of(path)
    repair = Repair(finding, want.new_mode(finding.mode, is_folder=finding.is_folder), "", uid=want.uid, gid=want.gid)
    if not finding.denied and not want.exact:
        # Only its owner is wrong: the mode stays, unless Plex would be the one who loses by the change.
        kept = dataclasses.replace(repair, new_mode=finding.mode)
        repair = kept if _lets_in(kept, policy) else repair
    repair = dataclasses.replace(repair, reason=describe(repair, policy))
    if finding.denied and not _helps(repair, policy):
        return Leave(finding, _tell_useless(repair, policy, want))
    if not finding.denied and not _lets_in(repair, policy):
        return Leave(
            finding, f"as it is wanted, it would be closed to Plex: {explain(_after(repair), policy.identity, _need(finding))}"
        )
    return repair


def _helps(step: Repair, policy: Policy) -> bool:
    """Tell whether a repair may let Plex in. With an ACL only trying tells; on a network or FUSE file system the same mode
    once more can (a stale access right)."""
    owned = step.finding.owned
    changes = step.new_mode != owned.mode or (step.uid >= 0 and step.uid != owned.uid) or (step.gid >= 0 and step.gid != owned.gid)
    if not changes:
        return bool(policy.roots[step.finding.root].remote)
    return _lets_in(step, policy)


def _lets_in(step: Repair, policy: Policy) -> bool:
    return step.finding.owned.acl or policy.identity is None or allows(_after(step), policy.identity, _need(step.finding))


def _after(step: Repair) -> Ownership:
    owned = step.finding.owned
    return Ownership(step.new_mode, owned.uid if step.uid < 0 else step.uid, owned.gid if step.gid < 0 else step.gid, owned.acl)


def _tell_useless(step: Repair, policy: Policy, want: Want) -> str:
    after = _after(step)
    option = "dir_mode" if step.finding.is_folder else "file_mode"
    if after == step.finding.owned:
        return explain(after, policy.identity, _need(step.finding))
    wanted = want.dir_mode if step.finding.is_folder else want.file_mode
    return f"{option} {wanted} would not let it in either: {explain(after, policy.identity, _need(step.finding))}"


def describe(step: Repair, policy: Policy) -> str:
    """Return what is wrong with a finding, in a few words."""
    if step.finding.denied:
        return explain(step.finding.owned, policy.identity, _need(step.finding))
    return f"mode {step.new_mode} is wanted" if step.new_mode != step.finding.mode else "another owner or group is wanted"


def _need(finding: Finding) -> int:
    return LIST if finding.is_folder else READ
