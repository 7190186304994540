"""From a line in Plex's log to a file that Plex can read, through all the programs on the way, on a booted machine."""

import json
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Row, at_most, row
from tests.machine import Machine, can_run
from tests.system.conftest import DEB, await_found, with_native_plex
from tests.system.native_plex import DATA, FILMS

_TIMES = 12
# Runs inside the machine, so that only the programs are measured. The reference is what waiting alone costs: half a poll of the
# log, on average, which is what is left when everything else takes no time.
_SCRIPT = """
import json, os, time
log, films, times = {log!r}, {films!r}, {times}
taken = []
for number in range(times):
    folder = f"{{films}}/Bench {{number}}"
    os.mkdir(folder)
    film = f"{{folder}}/film.mkv"
    with open(film, "w") as file:
        file.write("film")
    os.chmod(film, 0)
    time.sleep(0.37)
    began = time.monotonic()
    with open(log, "a") as file:
        file.write(f"Nov 21, 2026 10:00:00.000 [1] ERROR - Error opening file '\\"{{film}}\\"' - Permission denied (13)\\n")
    while not os.stat(film).st_mode & 0o004:
        assert time.monotonic() - began < 30, "not repaired"
        time.sleep(0.002)
    taken.append(time.monotonic() - began)
print(json.dumps(taken))
"""


def measure(folder: Path) -> Iterator[Row]:
    reason = can_run()
    assert reason is None, f"no machine can be booted here: {reason}"
    with Machine(with_native_plex(DEB.resolve())) as machine:
        await_found(machine)
        # One that Plex complains about: the films of this machine lie on overlayfs, which the live guard cannot watch.
        script = _SCRIPT.format(log=f"{DATA}/Logs/Plex Media Server.log", films=FILMS, times=_TIMES)
        done = machine.run(["/usr/bin/python3", "-c", script], timeout_s=300)
    taken = json.loads(done.stdout)
    note = f"median of {_TIMES}, longest {max(taken):.2f} s; the log is polled twice a second"
    yield row("logwatch.line-to-readable", taken, None, unit="s", note=note, target=at_most(2))
