"""Plex's trash, emptied of a simulated Plex that really forgets: real files, real answers; time and mounts are told."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plexguard.core.clock import Moment
from plexguard.core.found import FoundContainer, FoundPlex, Mount, Server
from plexguard.core.mounts import MountPoint
from plexguard.core.plex_http import HttpPlex
from plexguard.core.published import HoldSeen, Reading
from plexguard.core.secret import Secret
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog.config import Config
from plexguard.rclone_watchdog.trash import act
from plexguard.rclone_watchdog.trash.act import Emptier, Places, Result, Run, read_lists
from plexguard.rclone_watchdog.trash.decide import State
from plexguard.rclone_watchdog.trash.limits import Why
from plexguard.rclone_watchdog.trash.observe import Observation, World, observe
from plexguard.rclone_watchdog.trash.places import Ground, Guard
from plexguard.rclone_watchdog.trash.survey import survey
from tests.fakes.plex import PlexSimulator
from tests.fakes.ports import FakeClock, FakeJournal

ROOT = MountPoint(path="/", type="ext4")
ON = Config(trash=True)


class House:
    """A Plex with libraries below a folder, and what is known of the mounts there. Each look proves every mount anew."""

    def __init__(self, plex: PlexSimulator, folder: Path) -> None:
        self.plex = plex
        self.folder = folder
        self.media = folder / "media"
        self.state = folder / "state"
        self.state.mkdir()
        self.clock = FakeClock()
        self.journal = FakeJournal()
        self.config = ON
        self.found = FoundPlex(server=Server.UNIT, url=plex.url)
        self.container: FoundContainer | None = None
        self.hold: Reading[HoldSeen] = Reading(record=None)
        self.ground = Ground(table=(ROOT,))
        self.token = plex.token
        # Called with the number of the look, before it is taken.
        self.before_look: Callable[[int], None] = lambda _number: None
        self.looks = 0

    def add(self, name: str, count: int, *, type: str = "movie") -> str:
        """Add a library that is scanned, and return its key."""
        for number in range(count):
            self.write(name, number)
        key = self.plex.add_library(name, type, self.media / name)
        self.plex.scan(key)
        return str(key)

    def write(self, name: str, number: int) -> None:
        place = self.media / name / f"{name} {number:04} (2001)"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name} {number:04}.mkv").write_bytes(b"x")

    def lose(self, name: str, *numbers: int) -> None:
        """Take files away, and have Plex miss them."""
        for number in numbers:
            shutil.rmtree(self.media / name / f"{name} {number:04} (2001)")
        self.plex.scan(int(self.key_of(name)))

    def key_of(self, name: str) -> str:
        return next(library.key for library in self.control().libraries(timeout_s=5.0) if library.title == name)

    def control(self) -> HttpPlex:
        return HttpPlex(self.plex.url, Secret(self.token))

    def look(self, only: str) -> Observation:
        self.looks += 1
        self.before_look(self.looks)
        now = self.clock.moment()
        proven = tuple(replace(guard, proven=guard.proven or now) for guard in self.ground.guards)
        lasts = (self.places().peek() or Places()).mounts
        return observe(
            World(
                plex=self.control(),
                found=self.found,
                container=self.container,
                hold=self.hold,
                ground=replace(self.ground, guards=proven, lasts=lasts),
                now=now,
                survey=survey,
            ),
            self.config,
            only=only,
        )

    def places(self) -> StateFile[Places]:
        return StateFile(self.state / "mounts.json", Places, schema=1, journal=self.journal)

    def emptier(self) -> Emptier:
        return Emptier(
            self.look,
            self.control(),
            config=self.config,
            state=StateFile(self.state / "state.json", State, schema=1, journal=self.journal),
            journal=self.journal,
            clock=self.clock,
            pause_s=60.0,
            lists=self.state / "lists",
            places=self.places(),
        )

    def run(self) -> Run:
        self.looks = 0
        return self.emptier().run()

    def result(self, name: str) -> Result:
        """Run, and return what became of a library."""
        return next(result for result in self.run().results if result.seen.library.title == name)

    def missing(self, name: str) -> int:
        library = next(one for one in self.control().libraries(timeout_s=5.0) if one.title == name)
        return self.control().count_items(library, timeout_s=5.0).missing

    def saved(self) -> State:
        state = StateFile(self.state / "state.json", State, schema=1, journal=self.journal).peek()
        assert state is not None
        return state

    def setting(self) -> str:
        return self.control().preferences(timeout_s=5.0)["autoEmptyTrash"]

    def set_setting(self, value: str) -> None:
        self.control().set_preference("autoEmptyTrash", value, timeout_s=5.0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with PlexSimulator(tmp_path / "Plex Media Server") as plex:
        house = House(plex, tmp_path)
        house.set_setting("false")
        yield house


def whys(result: Result) -> set[Why]:
    return {reason.why for reason in result.reasons}


def test_what_is_gone_is_forgotten_and_written_down(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3, 4)

    result = house.result("Films")

    assert (result.emptied, house.missing("Films"), result.seen.count and result.seen.count.items) == (2, 0, 10)
    assert house.clock.slept[0] == 60.0
    (listed,) = read_lists(house.state / "lists", house.journal)
    assert {Path(file).name for item in listed.items for file in item.files} == {"Films 0003.mkv", "Films 0004.mkv"}
    told = house.journal.values("trash.emptied")
    assert (told["title"], told["count"], told["left"]) == ("Films", 2, 10)
    assert Path(str(told["list"])).exists() and "Films 0003" in str(told["items"])
    saved = house.saved().libraries[house.key_of("Films")]
    assert (saved.missing, saved.emptied_items, saved.emptied_total, saved.begun) == (0, 2, 2, None)


def test_where_nothing_is_missing_nothing_is_done_and_no_mount_is_asked_for(house: House) -> None:
    house.add("Films", 3)
    house.ground = Ground(table=(ROOT, MountPoint(path=str(house.media), type="fuse.rclone")))

    run = house.run()

    assert [result.reasons for result in run.results] == [()]
    assert (house.journal.names, house.looks) == ([], 1)


@pytest.mark.parametrize(
    ("items", "lost", "config", "is_emptied"),
    [
        (120, 50, ON, True),
        (120, 51, ON, False),
        # The larger number counts: 1 in 100 of 120 is 1.
        (120, 3, replace(ON, trash_items=2, trash_percent=2), False),
        (120, 2, replace(ON, trash_items=0, trash_percent=2), True),
        (120, 3, replace(ON, trash_items=0, trash_percent=2), False),
        (120, 1, replace(ON, trash_items=0, trash_percent=0), False),
        # Never more than half, however many are allowed.
        (10, 5, ON, True),
        (10, 6, ON, False),
        (1, 1, ON, False),
        (120, 119, replace(ON, trash_items=1_000_000, trash_percent=100), False),
    ],
)
def test_the_limit_is_the_larger_of_both_numbers_and_never_more_than_half(
    house: House, items: int, lost: int, config: Config, is_emptied: bool
) -> None:
    house.config = config
    house.add("Films", items)
    # What else is there, so that the folder is not empty.
    (house.media / "Films" / "cover.jpg").touch()
    house.lose("Films", *range(lost))

    result = house.result("Films")

    assert (result.emptied is not None, house.missing("Films")) == ((True, 0) if is_emptied else (False, lost))
    assert whys(result) == (set() if is_emptied else {Why.MANY})
    assert len(result.seen.missing) == (0 if is_emptied else lost)


def test_of_shows_the_episodes_are_counted(house: House) -> None:
    show = house.media / "Shows" / "Some Show"
    show.mkdir(parents=True)
    for number in range(8):
        (show / f"Some Show - S01E0{number}.mkv").write_bytes(b"x")
    key = house.plex.add_library("Shows", "show", house.media / "Shows")
    house.plex.scan(key)
    (show / "Some Show - S01E02.mkv").unlink()
    house.plex.scan(key)

    result = house.result("Shows")

    assert (result.emptied, result.seen.count and result.seen.count.items) == (1, 7)


# -- mounts -----------------------------------------------------------------------------------------------------------


def guarded(house: House, **changes: object) -> Ground:
    path = str(house.media)
    guard = Guard(name="films", path=path)
    return Ground(table=(ROOT, MountPoint(path=path, type="fuse.rclone")), guards=(replace(guard, **changes),))  # type: ignore[arg-type]


def test_a_library_on_a_proven_mount_is_emptied_and_on_one_that_is_not_it_is_kept(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.ground = guarded(house, fault="it is hung, no bytes for 40 s")

    kept = house.result("Films")
    house.ground = guarded(house)
    emptied = house.result("Films")

    assert (whys(kept), kept.seen.missing[0].title) == ({Why.MOUNT}, "Films 0003")
    assert "is not proven: it is hung, no bytes for 40 s" in str(house.journal.values("trash.kept")["reason"])
    assert emptied.emptied == 1
    assert house.journal.names == ["trash.kept", "trash.emptied"]


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_mount_that_fails_at_any_look_keeps_the_trash(house: House, at: int) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.ground = guarded(house)

    def fail(number: int) -> None:
        if number == at:
            house.ground = guarded(house, fault="it is stale")

    house.before_look = fail
    result = house.result("Films")

    assert (whys(result), house.missing("Films"), house.looks) == ({Why.MOUNT}, 1, at)


def test_a_mount_has_to_be_proven_anew_between_two_looks(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.ground = guarded(house, proven=house.clock.moment())

    result = house.result("Films")

    assert (whys(result), house.missing("Films")) == ({Why.MOUNT}, 1)
    assert "no bytes of" in result.reasons[0].text


def test_a_remote_mount_that_nobody_watches_is_not_proven(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.ground = Ground(table=(ROOT, MountPoint(path=str(house.media / "Films" / "nas"), type="nfs4")))

    result = house.result("Films")

    assert (whys(result), "watched by nobody" in result.reasons[0].text) == ({Why.MOUNT}, True)


def test_a_disk_that_fstab_names_has_to_be_there(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.ground = Ground(table=(ROOT,), fstab=(MountPoint(path=str(house.media), type="ext4", is_optional=True),))

    assert "is not mounted" in house.result("Films").reasons[0].text


def test_a_disk_that_no_fstab_names_is_missed_once_it_was_there(house: House) -> None:
    house.add("Films", 12)
    house.ground = Ground(table=(ROOT, MountPoint(path=str(house.media), type="ext4")))
    house.run()
    house.lose("Films", 3)
    house.ground = Ground(table=(ROOT,))

    first, second = house.result("Films"), house.result("Films")

    # It is not forgotten by what was seen in between.
    assert all("is not mounted" in result.reasons[0].text for result in (first, second))
    house.ground = Ground(table=(ROOT, MountPoint(path=str(house.media), type="ext4")))
    assert house.result("Films").emptied == 1


def test_an_empty_folder_is_the_place_of_a_disk(house: House) -> None:
    house.add("Films", 12)
    spare = house.media / "Spare"
    spare.mkdir()
    house.write("Spare", 1)
    key = house.plex.add_library("Both", "movie", house.media / "Films", spare)
    house.plex.scan(key)
    shutil.rmtree(spare / "Spare 0001 (2001)")
    (spare / "lost+found").mkdir()
    house.plex.scan(key)

    result = house.result("Both")

    assert (whys(result), "is empty: is its disk mounted?" in result.reasons[0].text) == ({Why.FOLDER}, True)


def test_a_link_out_of_the_library_leads_to_a_mount_too(house: House) -> None:
    house.add("Films", 12)
    away = house.folder / "away"
    away.mkdir()
    shutil.move(str(house.media / "Films" / "Films 0003 (2001)"), away / "here")
    (house.media / "Films" / "Films 0003 (2001)").symlink_to(away / "here")
    shutil.rmtree(away / "here")
    house.plex.scan(int(house.key_of("Films")))
    # The bare folder of a disk that no table names.
    kept = house.result("Films")
    house.ground = Ground(table=(ROOT, MountPoint(path=str(away), type="fuse.rclone")))
    unwatched = house.result("Films")

    assert whys(kept) == {Why.FOLDER}
    assert (whys(unwatched), "watched by nobody" in unwatched.reasons[0].text) == ({Why.MOUNT}, True)


def test_a_file_that_is_there_again_is_not_gone(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3, 4)
    house.write("Films", 4)

    result = house.result("Films")

    assert (whys(result), house.missing("Films")) == ({Why.BACK}, 2)
    assert "1 of the missing files are there" in result.reasons[0].text and "Films 0004.mkv" in result.reasons[0].text


def test_a_file_that_cannot_be_asked_for_is_not_gone(house: House) -> None:
    house.add("Films", 12)
    loop = house.media / "Films" / "Films 0003 (2001)"
    house.lose("Films", 3)
    loop.symlink_to(loop)

    assert whys(house.result("Films")) <= {Why.BACK, Why.FOLDER} != set()
    assert house.missing("Films") == 1


def test_a_library_without_a_folder_is_kept(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.plex.stop()
    import sqlite3

    with sqlite3.connect(house.plex.database) as database:
        database.execute("DELETE FROM section_locations")
    database.close()
    house.plex.start()
    house.found = replace(house.found, url=house.plex.url)

    assert [reason.text for reason in house.result("Films").reasons] == ["it has no folder"]


# -- where Plex is ----------------------------------------------------------------------------------------------------


def test_paths_of_a_container_are_looked_for_where_this_machine_has_them(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    inside, outside = str(house.media), str(house.folder / "outside")
    os.rename(inside, outside)
    house.found = replace(house.found, server=Server.CONTAINER)
    house.container = FoundContainer(name="plex", status="running", mounts=(Mount(source=outside, destination=inside),))

    assert house.result("Films").emptied == 1


@pytest.mark.parametrize(
    ("server", "container", "said"),
    [
        (Server.CONTAINER, FoundContainer(name="plex", status="running"), "no mount of Plex's container leads there"),
        (Server.CONTAINER, None, "nothing is known of Plex's container"),
        (Server.REMOTE, None, "another machine"),
    ],
)
def test_where_nobody_can_look_nothing_is_emptied(
    house: House, server: Server, container: FoundContainer | None, said: str
) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.found, house.container = replace(house.found, server=server), container

    result = house.result("Films")

    assert (whys(result), said in result.reasons[0].text) == ({Why.FOLDER}, True)


# -- what Plex does ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_scan_that_begins_at_any_look_keeps_the_trash(house: House, at: int) -> None:
    key = house.add("Films", 12)
    house.lose("Films", 3)
    house.plex.set(scan_s=30.0)

    def begin(number: int) -> None:
        if number == at:
            house.plex.add_activity(type="library.update.section", title="Scanning Films", section=key)

    house.before_look = begin
    result = house.result("Films")

    assert (whys(result), house.missing("Films"), house.looks) == ({Why.BUSY}, 1, at)


@pytest.mark.parametrize(
    ("activity", "is_busy"),
    [
        # A scan before it is known whose.
        ({"type": "library.update.section", "title": "Scanning"}, True),
        ({"type": "something.new", "title": "New"}, True),
        ({"type": "library.update.section", "title": "Scanning Others", "section": "99"}, False),
        ({"type": "media.generate.intros", "title": "Detecting intros"}, False),
    ],
)
def test_other_work_of_plex_counts_only_where_it_may_change_what_is_missing(
    house: House, activity: dict[str, str], is_busy: bool
) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.plex.add_activity(**activity)

    assert whys(house.result("Films")) == ({Why.BUSY} if is_busy else set())


@pytest.mark.parametrize("at", [2, 3])
def test_what_is_missing_may_not_change_between_the_looks(house: House, at: int) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)

    def change(number: int) -> None:
        if number == at:
            house.lose("Films", 4)

    house.before_look = change
    result = house.result("Films")

    assert (whys(result), house.missing("Films")) == ({Why.CHANGED}, 2)


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("mode", ["refusing", "maintenance", "garbage"])
def test_a_plex_that_goes_away_at_any_look_keeps_its_trash(house: House, mode: str, at: int) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)

    def go(number: int) -> None:
        if number == at:
            house.plex.set(mode=mode)

    house.before_look = go
    run = house.run()
    house.plex.set(mode="healthy")

    assert house.missing("Films") == 1
    assert run.fault if at == 1 else whys(run.results[0]) >= {Why.PLEX}
    assert not list((house.state / "lists").glob("*"))


def test_with_a_wrong_token_nothing_is_known_and_nothing_done(house: House) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    house.token = "wrong"

    assert "401" in house.run().fault
    assert house.saved().fault


@pytest.mark.parametrize(
    "hold",
    [
        Reading(record=HoldSeen(holders={"films": FakeClock().moment()})),
        Reading(record=HoldSeen(before={"autoEmptyTrash": "true"})),
        Reading(record=None, why="state.json: torn"),
    ],
    ids=["held", "not put back yet", "torn"],
)
@pytest.mark.parametrize("at", [1, 2, 3])
def test_while_plex_is_held_nothing_is_emptied(house: House, hold: Reading[HoldSeen], at: int) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)

    def begin(number: int) -> None:
        if number == at:
            house.hold = hold

    house.before_look = begin

    assert whys(house.result("Films")) == {Why.HELD}
    assert house.missing("Films") == 1


# -- Plex's own emptying ----------------------------------------------------------------------------------------------


def test_plexs_own_emptying_is_taken_over_and_given_back(house: House) -> None:
    house.set_setting("true")
    house.add("Films", 3)
    house.run()
    taken = (house.setting(), house.saved().before, house.saved().is_off)
    house.run()
    house.config = replace(ON, trash=False)
    house.emptier().give_back()

    assert taken == ("false", "true", True)
    assert (house.setting(), house.saved().before, house.emptier().is_idle) == ("true", "", True)
    # Told once.
    assert house.journal.names == ["trash.taken-over", "trash.given-back"]


def test_what_was_off_before_stays_off_afterwards(house: House) -> None:
    house.add("Films", 3)
    house.run()
    house.config = replace(ON, trash=False)
    house.emptier().give_back()

    assert (house.setting(), house.emptier().is_idle, house.journal.names) == ("false", True, [])


def test_somebody_who_switches_it_on_again_is_noticed(house: House) -> None:
    house.set_setting("true")
    house.run()
    house.set_setting("true")
    house.run()

    assert (house.setting(), house.saved().before) == ("false", "true")
    assert house.journal.names == ["trash.taken-over", "trash.switched-on"]


def test_what_was_switched_on_by_hand_meanwhile_is_given_back_as_it_is(house: House) -> None:
    house.set_setting("true")
    house.run()
    house.set_setting("true")
    house.config = replace(ON, trash=False)
    house.emptier().give_back()

    assert (house.setting(), house.emptier().is_idle) == ("true", True)


def test_while_plex_is_held_its_setting_is_anothers(house: House) -> None:
    house.set_setting("true")
    house.hold = Reading(record=HoldSeen(holders={"films": house.clock.moment()}))
    house.run()

    assert (house.setting(), house.saved().before) == ("true", "")


def test_a_run_that_was_killed_before_it_changed_the_setting_changes_it_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.set_setting("true")
    with monkeypatch.context() as patch:
        patch.setattr(HttpPlex, "set_preference", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            house.run()
    killed = (house.setting(), house.saved().before)
    house.run()

    assert killed == ("true", "true")
    # Nobody has switched it on again: it never was off.
    assert (house.setting(), house.journal.names) == ("false", ["trash.taken-over"])


# -- the end of an emptying -------------------------------------------------------------------------------------------


def test_a_run_that_was_killed_in_the_middle_is_told_by_the_next(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    empty = HttpPlex.empty_trash

    def die(self: HttpPlex, *arguments: object, **named: object) -> None:
        empty(self, *arguments, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(HttpPlex, "empty_trash", die)
        with pytest.raises(KeyboardInterrupt):
            house.run()
    silent = list(house.journal.names)
    house.run()

    assert silent == []
    assert house.journal.values("trash.emptied")["count"] == 1
    assert house.saved().libraries[house.key_of("Films")].emptied_total == 1


def test_a_run_that_was_killed_before_plex_was_told_is_done_by_the_next(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    with monkeypatch.context() as patch:
        patch.setattr(HttpPlex, "empty_trash", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            house.run()
    assert house.missing("Films") == 1

    assert house.result("Films").emptied == 1
    assert house.journal.names == ["trash.emptied"]


def test_more_that_goes_than_was_listed_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add("Films", 12)
    house.lose("Films", 3)
    empty = HttpPlex.empty_trash

    def race(self: HttpPlex, *arguments: object, **named: object) -> None:
        """A scan marks another item in the very moment."""
        house.lose("Films", 4)
        empty(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(HttpPlex, "empty_trash", race)
    house.run()

    told = house.journal.values("trash.unlisted")
    assert (told["count"], told["gone"]) == (1, 2)


def test_a_plex_that_declines_has_emptied_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from plexguard.core.plex import PlexDeclined

    house.add("Films", 12)
    house.lose("Films", 3)
    monkeypatch.setattr(HttpPlex, "empty_trash", lambda *_, **__: (_ for _ in ()).throw(PlexDeclined("404")))

    result = house.result("Films")

    assert (whys(result), result.emptied, house.missing("Films")) == ({Why.PLEX}, None, 1)
    assert read_lists(house.state / "lists", house.journal) == ()


def test_a_disk_that_takes_no_list_keeps_the_trash(house: House) -> None:
    from plexguard.core.errors import PlexguardError

    house.add("Films", 12)
    house.lose("Films", 3)
    (house.state / "lists").write_text("no folder")

    with pytest.raises(PlexguardError):
        house.run()

    assert house.missing("Films") == 1


# -- telling ----------------------------------------------------------------------------------------------------------


def test_that_trash_is_kept_is_told_when_something_about_it_changes(house: House) -> None:
    house.add("Films", 200)
    house.lose("Films", *range(60))
    house.run()
    house.run()
    house.lose("Films", 60)
    house.run()
    house.ground = guarded(house, fault="it is stale")
    house.run()
    house.ground = Ground(table=(ROOT,))
    for number in range(61):
        house.write("Films", number)
    house.plex.scan(int(house.key_of("Films")))
    house.run()
    house.run()

    assert house.journal.names == ["trash.kept", "trash.kept", "trash.kept", "trash.cleared"]
    saved = house.saved().libraries[house.key_of("Films")]
    assert (saved.kept, saved.kept_since) == ("", None)


def test_since_when_it_is_kept_is_remembered(house: House) -> None:
    house.add("Films", 200)
    house.lose("Films", *range(60))
    house.run()
    first: Moment | None = house.saved().libraries[house.key_of("Films")].kept_since
    house.clock.pass_time(86_400)
    house.run()

    assert first is not None and house.saved().libraries[house.key_of("Films")].kept_since == first


def test_a_preview_changes_nothing(house: House) -> None:
    house.set_setting("true")
    house.plex.set(scan_s=0.0)
    house.add("Films", 12)
    house.set_setting("false")
    house.lose("Films", 3)
    house.set_setting("true")

    run = house.emptier().preview()

    assert [(result.reasons, len(result.seen.missing)) for result in run.results] == [((), 1)]
    assert (house.setting(), house.missing("Films"), house.journal.names, list(house.state.iterdir())) == ("true", 1, [], [])


def test_a_library_that_plex_has_no_more_is_forgotten(house: House) -> None:
    house.add("Films", 3)
    house.run()
    text = json.loads((house.state / "state.json").read_text())
    text["libraries"]["99"] = {"title": "Old"}
    (house.state / "state.json").write_text(json.dumps(text))
    house.run()

    assert list(house.saved().libraries) == [house.key_of("Films")]


def test_only_the_newest_lists_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(act, "_KEPT_LISTS", 2)
    house.add("Films", 12)
    for number in range(3):
        house.lose("Films", number)
        house.clock.pass_time(86_400)
        house.run()

    assert len(read_lists(house.state / "lists", house.journal)) == 2
