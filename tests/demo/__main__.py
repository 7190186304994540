"""Boot a machine, install the package with apt, break things, and show what plexguard makes of it.

Ends with a short table, and with exit code 0 only if all of it happened.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.demo import cloud, database, house, mounts, people, scenes
from tests.demo.door import Viewers
from tests.demo.show import Show
from tests.machine import Machine, MachineError, can_run
from tests.machine.managers import Manager, managed


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table at the end. seconds: None when it did not happen."""

    what: str
    seconds: float | None
    detail: str


_VIEWERS = Viewers()
_SCENES: tuple[tuple[str, Callable[[Machine, Show], str]], ...] = (
    ("a machine with systemd, and apt install ./plexguard_*.deb", scenes.install),
    ("Plex is installed, and found without any configuration", scenes.find_plex),
    ("a download that Plex cannot read is repaired as it arrives", scenes.repair_live),
    ("a film is repaired because Plex's log complained", scenes.repair_by_log),
    ("what a run changed is taken back", scenes.take_back),
    ("somebody is to be told: a channel is configured, and tried", people.open_channel),
    ("a hung Plex is restarted and recovers", _VIEWERS.watching(scenes.recover_plex)),
    ("the same hang with and without the front door", _VIEWERS.compare),
    ("what people were told of it", people.read_pair),
    ("an update of Plex is left alone", scenes.leave_update),
    ("an administrator stops Plex, and it is left alone", scenes.respect_stop),
    ("the network is lost, and comes back by the gentlest step", house.mend_network),
    ("the provider is away, and nothing is touched", house.leave_provider),
    ("the line is measured", house.measure_line),
    ("a storage is mounted, and proven by reading from it", mounts.prove_mount),
    ("its rclone is killed, and it is back", mounts.lose_rclone),
    ("the storage is away while Plex scans, and nothing is lost", mounts.lose_storage),
    ("an archive of Plex's database is made while Plex runs", database.keep_database),
    ("the database is damaged, and repaired without a row lost", database.mend_database),
    ("a library is gone, and comes back from the archive", database.put_back_database),
    ("a machine is rented, home loses its power, and nothing is left", cloud.rent_machine),
    ("a library is scanned and analysed on a rented machine, and Plex at home gets it", cloud.run_and_apply),
    ("one screen shows how it is, before a fault and in it", scenes.show_status),
    ("what an operator sees", scenes.look_around),
)


def main(deb: Path) -> int:
    reason = can_run()
    if reason:
        print(f"no machine can be booted here: {reason}", file=sys.stderr)
        return 1
    rows: list[Row] = []
    # The kernel watches a tmpfs, and refuses to watch the overlay that is the machine's root.
    with house.LAN as lan, Machine(managed(Manager.NETWORKD), name="demo", network=lan, volumes=("/srv", "/data")) as machine:
        scenes.DEB = deb
        for what, scene in _SCENES:
            rows.append(_play(what, scene, machine))
            if rows[-1].seconds is None:
                break
    return _conclude(rows)


def _play(what: str, scene: Callable[[Machine, Show], str], machine: Machine) -> Row:
    show = Show(machine)
    show.title(what)
    began = time.monotonic()
    try:
        detail = scene(machine, show)
    except (MachineError, AssertionError) as error:
        return Row(what=what, seconds=None, detail=str(error).splitlines()[0] if str(error) else "did not happen")
    return Row(what=what, seconds=time.monotonic() - began, detail=detail)


def _conclude(rows: list[Row]) -> int:
    print(f"\n{'':2}{'what happened':62}{'seconds':>8}")
    for row in rows:
        seconds = "FAILED" if row.seconds is None else f"{row.seconds:.1f}"
        print(f"  {row.what:62}{seconds:>8}  {row.detail}")
    complete = len(rows) == len(_SCENES) and all(row.seconds is not None for row in rows)
    print("\n  all of it happened\n" if complete else "\n  NOT ALL OF IT HAPPENED\n")
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
