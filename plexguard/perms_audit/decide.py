"""From findings to steps: what is repaired, how, and what is left alone and why. Pure."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass

from plexguard.core.events import Mode
from plexguard.core.mounts import MountPoint, mount_of
from plexguard.perms_audit.walk import Finding


@dataclass(frozen=True, slots=True)
class Repair:
    """Give a path the mode that it should have."""

    finding: Finding
    new_mode: Mode


@dataclass(frozen=True, slots=True)
class Leave:
    """Touch nothing and say why."""

    finding: Finding
    reason: str


Step = Repair | Leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What modes should be, and where. roots: paths by number, as findings count them."""

    file_mode: Mode
    dir_mode: Mode
    roots: tuple[str, ...]
    mounts: tuple[MountPoint, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order that is safe to stop after any of them, and findings that only the end of the walk can judge."""

    steps: tuple[Step, ...]
    held_back: tuple[Finding, ...] = ()


def decide(findings: Sequence[Finding], policy: Policy) -> Plan:
    """Return what to do about a batch. Folders come first, outer before inner, so that a stop leaves whole paths open.

    Files with several names are held back: all names must lie below the roots, and only the whole walk has seen them.
    """
    ordered = sorted(findings, key=lambda f: (not f.is_folder, f.path.count("/"), f.path))
    held_back = tuple(f for f in ordered if _has_other_names(f))
    steps = tuple(_judge(f, policy) for f in ordered if not _has_other_names(f))
    return Plan(steps, held_back)


def decide_linked(findings: Sequence[Finding], policy: Policy) -> Plan:
    """Return what to do about files with several names, when all of them are known.

    A file that also has a name outside the roots is left alone: who can make such a link could otherwise have root open
    a file that is not media.
    """
    names: dict[tuple[int, int], list[Finding]] = {}
    for finding in findings:
        names.setdefault((finding.device, finding.inode), []).append(finding)
    steps: list[Step] = []
    for group in names.values():
        # Roots may lie one in the other: a name that was met twice is still one.
        if len({full_path(policy.roots, finding) for finding in group}) < group[0].links:
            steps.append(Leave(group[0], "has another name (a hard link) outside the roots"))
        else:
            steps.append(_judge(group[0], policy))
    return Plan(tuple(steps))


def _has_other_names(finding: Finding) -> bool:
    return not finding.is_folder and finding.links > 1


def _judge(finding: Finding, policy: Policy) -> Step:
    wanted = policy.dir_mode if finding.is_folder else policy.file_mode
    if not finding.is_folder and finding.mode & (stat.S_ISUID | stat.S_ISGID):
        return Leave(finding, "is a set-id file, which is no media")
    mount = mount_of(full_path(policy.roots, finding), policy.mounts)
    if mount.is_remote:
        return Leave(finding, f"lies on {mount.type} ({mount.path}), where a mode may be a sign of a dead mount, or mean nothing")
    return Repair(finding, Mode(finding.mode | wanted))


def full_path(roots: Sequence[str], finding: Finding) -> str:
    root = roots[finding.root]
    return f"{root.rstrip('/')}/{finding.path}" if finding.path else root
