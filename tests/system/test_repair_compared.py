"""A repair beside what sqlite3 itself can do, on Debian 13, whose program recovers."""

import json
from pathlib import Path

import pytest

from tests.machine import READY, Machine

pytestmark = pytest.mark.machine

TREE = Path(__file__).parent.parent.parent


def test_a_repair_keeps_no_fewer_rows_than_dump_and_recover_whatever_the_damage() -> None:
    with Machine(READY.on("trixie").with_packages("sqlite3"), binds={TREE: "/opt/tree"}) as machine:
        done = machine.run(
            ["sh", "-c", "cd /opt/tree && exec python3 -B -m tests.system.compared_repairs"],
            timeout_s=600,
            env={"TMPDIR": "/dev/shm"},
        )

    found = json.loads(done.stdout)
    assert len(found) > 100
    worse = {kind: it for kind, it in found.items() if it["ours"] < max(it["dump"], it["recover"])}
    assert worse == {}
    # It did recover, and was asked where a salvage lost rows.
    assert found["zeroed-table-leaf"]["recover"] > 1_000
    assert ".recover: finds no row that salvage has not" in found["zeroed-table-leaf"]["tried"]
