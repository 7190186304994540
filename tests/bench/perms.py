"""The audit against GNU find's test of modes on the same tree: warm, on a disk that is slow to look up names, and its memory."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import PYTHON, Row, at_most, at_most_times, peak_pss_mb, row, wall_s
from tests.bench.trees import make_tree
from tests.fakes.slow_fuse import LOOKUP_S, SlowFuse

_ROUNDS, _SLOW_ROUNDS, _MEMORY_ROUNDS = 7, 1, 2
# A user without any files: everything is judged by the bits for others.
_LOOK_AS = ["--as-uid", "54322", "--as-gid", "54322"]


def measure(folder: Path) -> Iterator[Row]:
    # The user that is looked for must come to the trees, too.
    folder.chmod(0o755)
    # 100,000 files, 500,000 with those, and 500,000 more.
    small, tree, more = folder / "tree/small", folder / "tree", folder / "more"
    few = make_tree(small, shows=200)
    files = few + make_tree(tree / "rest", shows=800)
    all_files = files + make_tree(more)
    yield from _measure_scans(folder, tree, files)
    yield _measure_slow_scan(folder)
    yield _measure_memory(folder, {few: [small], all_files: [tree, more]})


def _measure_scans(folder: Path, tree: Path, files: int) -> Iterator[Row]:
    add, exact, find = _audit(folder, tree), _audit(folder, tree, policy="exact"), _find(tree)
    for command in (find, add, exact):
        wall_s(command)
    rounds = [(wall_s(add), wall_s(find), wall_s(exact)) for _ in range(_ROUNDS)]
    adds, finds, exacts = zip(*rounds, strict=True)
    dry = f"dry run over {files} files, warm; reference: GNU find ! -perm -0444"
    yield row("perms.scan", adds, finds, unit="s", note=dry, target=at_most_times(0.75))
    yield row("perms.scan-exact", exacts, finds, unit="s", note=f'policy = "exact", {dry}', target=at_most_times(0.9))


def _measure_slow_scan(folder: Path) -> Row:
    files = make_tree(folder / "far", shows=8)
    (folder / "mount").mkdir()
    with SlowFuse(folder / "far", folder / "mount") as disk:
        audit, find = _audit(folder, disk.target), _find(disk.target)
        memory_mb = peak_pss_mb(audit)
        rounds = [(wall_s(audit), wall_s(find)) for _ in range(_SLOW_ROUNDS)]
    ours, theirs = zip(*rounds, strict=True)
    note = f"{files} files, {LOOKUP_S * 1000:.0f} ms a lookup; reference: GNU find; {memory_mb:.0f} MB"
    return row("perms.scan-slow-fs", ours, theirs, unit="s", note=note, target=at_most_times(0.167))


def _measure_memory(folder: Path, trees: dict[int, list[Path]]) -> Row:
    peaks = {files: [peak_pss_mb(_audit(folder, *roots)) for _ in range(_MEMORY_ROUNDS)] for files, roots in trees.items()}
    flat = ", ".join(f"{files} files: {max(taken):.1f} MB" for files, taken in peaks.items())
    highest = max(max(taken) for taken in peaks.values())
    return row("perms.memory", [highest], None, unit="MB", note=f"peak PSS of all processes; {flat}", target=at_most(80))


def _audit(folder: Path, *roots: Path, policy: str = "add") -> list[str]:
    config = folder / f"{policy}.toml"
    config.write_text(f'[perms-audit]\npolicy = "{policy}"\n', encoding="utf-8")
    command = [PYTHON, "-m", "plexguard.perms_audit", "--config", str(config), "--dry-run", *_LOOK_AS]
    return [*command, *map(str, roots)]


def _find(tree: Path) -> list[str]:
    return ["find", str(tree), "-type", "f", "!", "-perm", "-0444"]
