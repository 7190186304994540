"""Libraries are scanned on a run's machine, and to each of them happens something else in its midst."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.machine import MachineError
from tests.system import scan_faults
from tests.system.conftest import DEB
from tests.system.scan_faults import FAULTS, FULL, meet, meet_full_disk
from tests.system.test_cloud_mount import open_pair


@dataclass(frozen=True)
class Scanned:
    """What was told at the end of a library's scan, and what of trouble before; wrong: why it did not come through, "" when it did."""

    fault: str
    told: str
    troubles: tuple[str, ...]
    wrong: str = ""


def scan_all() -> Iterator[Scanned]:
    """Yield what became of each. After one that does not come through the others are not tried."""
    names = (FULL, *FAULTS)
    with open_pair(DEB.resolve()) as pair:
        scan_faults.begin(pair, *names)
        for name in names:
            told = wrong = ""
            try:
                told = meet_full_disk(pair) if name == FULL else meet(pair, name, FAULTS[name])
            except (MachineError, AssertionError) as error:
                wrong = str(error)
            yield Scanned(fault=name, told=told, troubles=tuple(scan_faults.troubles(pair.house, name)), wrong=wrong)
            if wrong:
                return
        pair.end()


def describe(scanned: Scanned) -> Iterator[str]:
    yield f"\nA scan on a run's machine, and in its midst: {scanned.fault}. Told: {'; '.join(scanned.troubles) or 'nothing'}. "
    yield f"In the end: {scanned.told or 'it did not come through'}."
