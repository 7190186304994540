"""The audit against GNU find's test of modes on the same tree, both with a warm cache."""

from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import PYTHON, Row, peak_mb, row, wall_s
from tests.bench.trees import make_tree

_PAIRS = 7


def measure(folder: Path) -> Iterator[Row]:
    tree = folder / "tree"
    files = make_tree(tree)
    config = folder / "plexguard.toml"
    config.write_text("", encoding="utf-8")
    audit = [PYTHON, "-m", "plexguard.perms_audit", "--config", str(config), "--dry-run", str(tree)]
    find = ["find", str(tree), "-type", "f", "!", "-perm", "-0444"]
    wall_s(find)
    wall_s(audit)
    pairs = [(wall_s(audit), wall_s(find)) for _ in range(_PAIRS)]
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    yield row(
        "perms.scan",
        ours,
        theirs,
        unit="s",
        note=f"dry run over {files} files, warm; reference: GNU find ! -perm -0444; at most 0.9",
    )
    memory = [peak_mb(audit) for _ in range(3)]
    yield row("perms.memory", memory, None, unit="MB", note="peak RSS, summed over all processes; at most 80")
