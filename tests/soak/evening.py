"""Everything at work on one machine, used by several people, while troubles come one after the other: each is to be told once and to end
once, nothing is done that it does not call for, nothing is lost on the way to people, and no program grows."""

import json
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.machine import DeadlineMissed, Layer, Machine, MachineError
from tests.machine.managers import Manager, await_online, managing, needs
from tests.machine.network import Lan
from tests.soak.troubles import ACTIONS, MOST_RESTARTS, TAKEN, Trouble, troubles
from tests.system.conftest import events
from tests.system.mounting import Stand, watch, with_storage
from tests.system.native_plex import DOOR, TOKEN, list_films

_FAKES = Path(__file__).parents[1] / "fakes"
# Whatever is told is delivered, one by one, and troubles may come faster than anybody's do.
_OPTIONS = f"""
[plex-probe]
interval = "5s"
start_grace = "5s"
slow = "500ms"
max_restarts_per_day = {MOST_RESTARTS}
[log-watch]
repeat_after = "10s"
[net-recover]
interval = "10s"
timeout = "500ms"
looks = 2
pause = "100ms"
grace = "0s"
step_timeout = "10s"
[notify.channel.house]
kind = "webhook"
url = "http://127.0.0.1:8099/hook"
min_priority = "info"
fold = "0s"
"""
_PAGE = "http://127.0.0.1:32480"
_SERVICE = "[Service]\nExecStart=/usr/bin/python3 {command}\n[Install]\nWantedBy=multi-user.target\n"
_SETTLE_S, _SAMPLE_S = 8.0, 5.0
# What a process has read once it may keep; what it has a third of its life later it has for good.
_MOST_GROWTH, _SPARE_KB, _SPARE_FDS, _FEWEST_SAMPLES = 1.05, 3_000, 3, 18
_SAMPLE = """
import json, os, subprocess
units = subprocess.run(["systemctl", "list-units", "plexguard-*.service", "--state=running", "--plain", "--no-legend"], capture_output=True, text=True)
found = {}
for unit in [line.split()[0] for line in units.stdout.splitlines()]:
    pid = subprocess.run(["systemctl", "show", "-P", "MainPID", unit], capture_output=True, text=True).stdout.strip()
    try:
        rss = [line for line in open(f"/proc/{pid}/status") if line.startswith("RssAnon")]
        found[unit] = [int(pid), int(rss[0].split()[1]), len(os.listdir(f"/proc/{pid}/fd"))]
    except (OSError, IndexError):
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, kw_only=True)
class Played:
    """at_s: since the evening began."""

    at_s: float
    name: str
    wrongs: list[str]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Of a service's main process. life: which process, as each boot numbers them anew. rss_kb: what is its own, not a file's: the journal,
    which is read as mapped memory, is none of it."""

    at_s: float
    unit: str
    life: tuple[int, int]
    rss_kb: int
    fds: int


@dataclass(kw_only=True)
class Evening:
    """wrongs: of the whole. told, delivered: how many events and messages. restarts: of Plex, by plexguard."""

    seconds: float
    seed: int
    played: list[Played] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    told: int = 0
    delivered: int = 0
    restarts: int = 0
    wrongs: list[str] = field(default_factory=list)

    @property
    def all_wrongs(self) -> list[str]:
        return [f"{played.name}: {wrong}" for played in self.played for wrong in played.wrongs] + self.wrongs


def spend_evening(deb: Path, *, seconds: float, seed: int) -> Evening:
    """seed: of the order of the troubles. Raises MachineError where no machine could be prepared."""
    evening = Evening(seconds=seconds, seed=seed)
    # Whatever boot says that nobody could be reached by then: the internet comes a moment later.
    with Lan() as lan, Machine(_layer(deb), network=lan, allow_degraded=True) as machine:
        stand = open_house(machine)
        since, began, ends = machine.cursor(), time.monotonic(), threading.Event()
        sampling = threading.Thread(target=_sample, args=(machine, evening, began, ends), daemon=True)
        sampling.start()
        crashes = 0
        try:
            for trouble in _choose(random.Random(seed), lan, deb):
                if time.monotonic() - began > seconds:
                    break
                evening.played.append(_play(stand, trouble, time.monotonic() - began))
                crashes += trouble.crashes
        finally:
            ends.set()
            sampling.join()
        _conclude(stand, evening, since, crashes)
    return evening


def _layer(deb: Path) -> Layer:
    return managing(Manager.NETWORKD, with_storage(deb, packages=needs(Manager.NETWORKD)))


def open_house(machine: Machine) -> Stand:
    """Have somebody take what is told, people use Plex, and plexguard watch."""
    await_online(machine)
    # Debian's own has every boot wait for a network.
    machine.systemctl("disable", "--now", "haproxy.service")
    machine.run(["mkdir", str(Path(TAKEN).parent)])
    for name, command in {
        "inbox": f"/opt/inbox.py 8099 {Path(TAKEN).parent}",
        "people": f"/opt/people.py {TOKEN} {' '.join(_find_addresses(machine))}",
    }.items():
        machine.push(_FAKES / f"{name}.py", f"/opt/{name}.py")
        machine.write(f"/etc/systemd/system/{name}.service", _SERVICE.format(command=command))
    machine.systemctl("daemon-reload")
    machine.systemctl("enable", "--now", "inbox.service", "people.service")
    return watch(Stand(machine), options=_OPTIONS)


def _find_addresses(machine: Machine) -> list[str]:
    """Return what people ask for: lists and films at the front door, the page and its metrics."""
    machine.wait_for(lambda: list_films(machine), timeout_s=60, what="Plex has films")
    films = [DOOR + key for key in list_films(machine).values()]
    lists = [f"{DOOR}/library/sections", f"{DOOR}/library/sections/1/all"]
    return [*lists, *films, f"{_PAGE}/api/v1/overview", f"{_PAGE}/metrics"]


def _choose(chosen: random.Random, lan: Lan, deb: Path) -> Iterator[Trouble]:
    """Yield troubles without end, in rounds, each in another order."""
    round_ = 0
    while True:
        these = [trouble for trouble in troubles(chosen, lan, deb) if round_ % trouble.every == 0]
        yield from chosen.sample(these, len(these))
        round_ += 1


def _play(stand: Stand, trouble: Trouble, at_s: float) -> Played:
    since = stand.machine.cursor()
    try:
        wrongs = trouble.play(stand)
    except DeadlineMissed as error:
        wrongs = [str(error).splitlines()[0]]
    except (MachineError, AssertionError, OSError) as error:
        wrongs = [str(error)]
    time.sleep(_SETTLE_S)
    told = Counter(stand.told(since))
    wrongs += [f"{name} was told {told[name]} times" for name in sorted(trouble.tells) if told[name] != 1]
    wrongs += [f"{name}, which it does not call for" for name in sorted(ACTIONS & set(told) - trouble.does)]
    for entry in stand.machine.journal(since_cursor=since) if wrongs else ():
        if "PLEXGUARD_EVENT" in entry:
            print(f"         {entry['PLEXGUARD_EVENT']}: {entry['MESSAGE']}", flush=True)
    print(f"{at_s:6.0f} s  {trouble.name}: {'; '.join(wrongs) or 'right'}", flush=True)
    return Played(at_s=at_s, name=trouble.name, wrongs=wrongs)


def _sample(machine: Machine, evening: Evening, began: float, ends: threading.Event) -> None:
    while not ends.wait(_SAMPLE_S):
        boot = machine.pid
        try:
            found = json.loads(machine.run(["/usr/bin/python3", "-c", _SAMPLE]).stdout)
        except (MachineError, OSError, ValueError):
            # It is off, or about to be.
            continue
        at_s = time.monotonic() - began
        evening.samples += [
            Sample(at_s=at_s, unit=unit, life=(boot, pid), rss_kb=rss, fds=fds) for unit, (pid, rss, fds) in found.items()
        ]


def _conclude(stand: Stand, evening: Evening, since: str, crashes: int) -> None:
    """See that all is well, that whatever was told arrived, once, and that nothing grew."""
    machine = stand.machine
    try:
        machine.wait_for(lambda: not _missed(stand, since), timeout_s=90, what="all that was told is delivered")
    except DeadlineMissed:
        evening.wrongs += [f"{name} was told and did not arrive" for name in sorted(_missed(stand, since))]
    bodies = _delivered(machine)
    evening.told, evening.delivered = len(stand.told(since)), len(bodies)
    evening.restarts = len(events(machine, "plex.restarting", since_cursor=since))
    again = [id_ for id_, times in Counter(body["id"] for body in bodies).items() if times > 1]
    # Who is killed between sending and writing it down sends it again (plexguard-notify(8)).
    evening.wrongs += [f"{len(again)} messages arrived twice, in {crashes} crashes"] if len(again) > crashes else []
    evening.wrongs += [f"{evening.restarts} restarts of Plex within a day"] if evening.restarts > MOST_RESTARTS else []
    evening.wrongs += [f"failed: {unit}" for unit in machine.failed_units()]
    try:
        # The front door takes its time after an outage that was the last trouble.
        machine.wait_for(lambda: not _find_reasons(machine), timeout_s=120, what="Plex is well in the end")
    except DeadlineMissed:
        evening.wrongs += [f"in the end: {reason}" for reason in _find_reasons(machine)]
    evening.wrongs += find_leaks(evening.samples)


def _find_reasons(machine: Machine) -> list[str]:
    """Return why Plex is not well."""
    return list(json.loads(machine.run(["curl", "-s", f"{_PAGE}/api/v1/health/plex"]).stdout).get("reasons", []))


def _missed(stand: Stand, since: str) -> Counter[str]:
    """Return the events that did not arrive; what was told before may have arrived in it."""
    return Counter(stand.told(since)) - Counter(body["event"] for body in _delivered(stand.machine))


def _delivered(machine: Machine) -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in machine.run(["cat", TAKEN], check=False).stdout.splitlines()]


def find_leaks(samples: Sequence[Sample]) -> Iterator[str]:
    """Yield which process has grown from the second third of its life to the last."""
    for unit, life in sorted({(sample.unit, sample.life) for sample in samples}):
        own = [sample for sample in samples if (sample.unit, sample.life) == (unit, life)]
        third = len(own) // 3
        if len(own) < _FEWEST_SAMPLES:
            continue
        for what, spare, growth in (("rss_kb", _SPARE_KB, _MOST_GROWTH), ("fds", _SPARE_FDS, 1.0)):
            before, last = (
                statistics.median(getattr(sample, what) for sample in part) for part in (own[third:-third], own[-third:])
            )
            if last > before * growth + spare:
                yield f"{unit} grew: {what} {before:.0f} became {last:.0f}"


def describe(evening: Evening) -> Iterator[str]:
    yield f"\n## An evening of {evening.seconds / 60:.0f} min with everything at work (seed {evening.seed})\n"
    yield "| trouble | times | wrong |\n|---|---|---|"
    for name in dict.fromkeys(played.name for played in evening.played):
        these = [played.wrongs for played in evening.played if played.name == name]
        yield f"| {name} | {len(these)} | {'; '.join(wrong for wrongs in these for wrong in wrongs) or '-'} |"
    yield f"\n{evening.told} events told, {evening.delivered} messages taken, Plex restarted {evening.restarts} times."
    yield "\n| service | lives | memory, least to most | files, least to most |\n|---|---|---|---|"
    for unit in sorted({sample.unit for sample in evening.samples}):
        own = [sample for sample in evening.samples if sample.unit == unit]
        rss, fds = [sample.rss_kb / 1024 for sample in own], [sample.fds for sample in own]
        yield f"| {unit} | {len({sample.life for sample in own})} | {min(rss):.0f} to {max(rss):.0f} MB | {min(fds)} to {max(fds)} |"
    yield f"\nWrong: {'; '.join(evening.all_wrongs) or 'nothing'}."


def draw(evening: Evening, file: Path) -> None:
    """Draw the memory of each service over time, with the troubles as lines across."""
    width, height, left = 1000, 460, 60
    top_mb = max((sample.rss_kb / 1024 for sample in evening.samples), default=1.0) * 1.1
    end_s = max((sample.at_s for sample in evening.samples), default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/><text x="{left}" y="18" font-size="14">Memory of its own, in MB; a line across is a trouble, a red one what went wrong</text>',
    ]

    def at(x_s: float, y_mb: float) -> tuple[float, float]:
        return left + x_s / end_s * (width - left - 220), height - 30 - y_mb / top_mb * (height - 70)

    for played in evening.played:
        x = at(played.at_s, 0)[0]
        parts.append(
            f'<path d="M{x:.1f} 30V{height - 30}" stroke="{"#b3392f" if played.wrongs else "#d5d9e0"}"><title>{escape(played.name)}</title></path>'
        )
    for number, unit in enumerate(sorted({sample.unit for sample in evening.samples})):
        colour = f"hsl({number * 47 % 360} 60% 40%)"
        points = [at(sample.at_s, sample.rss_kb / 1024) for sample in evening.samples if sample.unit == unit]
        parts.append(f'<path d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}" fill="none" stroke="{colour}"/>')
        parts.append(
            f'<text x="{width - 210}" y="{40 + number * 15}" fill="{colour}">{escape(unit.removeprefix("plexguard-").removesuffix(".service"))}</text>'
        )
    parts += [f'<text x="{left - 8}" y="{at(0, mb)[1]:.0f}" text-anchor="end">{mb}</text>' for mb in range(0, int(top_mb) + 1, 20)]
    file.write_text("\n".join((*parts, "</svg>\n")), encoding="utf-8")
