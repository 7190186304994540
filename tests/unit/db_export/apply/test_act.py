"""Whatever fails while an archive takes its place, Plex runs in the end, and what was there before is there: tried for each step."""

from dataclasses import dataclass, field

import pytest

from plexguard.core.errors import DataError, IoFailed
from plexguard.core.found import Server
from plexguard.core.host import Completed
from plexguard.core.manager import Unit
from plexguard.core.plex import PlexRefused
from plexguard.core.program import Ports
from plexguard.core.state import LockHeld
from plexguard.db_export.apply import noted
from plexguard.db_export.apply.act import NotPutBack, PutBack, Replacing
from plexguard.db_export.apply.finish import finish
from plexguard.db_export.apply.health import Health
from plexguard.db_export.apply.server import Runner
from plexguard.db_export.database.files import PlexData
from tests.fakes.ports import IDENTITY, FakeHost, FakePlex, fake_ports

UNIT = "plexmediaserver.service"
BEFORE = Health(
    identifier=IDENTITY.machine_identifier, version="1.43.4", libraries=frozenset({"Films"}), readable=frozenset({"Films"})
)


@dataclass
class House:
    """fail: a step, and what it raises, once or (the second) always."""

    ports: Ports
    data: PlexData
    plex: FakePlex = field(default_factory=FakePlex)
    done: list[str] = field(default_factory=list)
    fail: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports.manager.units[UNIT] = Unit(name=UNIT, active_state="active")
        self.ports.manager.units["multi-user.target"] = Unit(name="multi-user.target", active_state="active")
        self.ports.manager.on = lambda verb, name: self.step(verb) if verb in ("start", "stop") else None

    def step(self, name: str) -> int:
        self.done.append(name)
        if name in self.fail:
            raise self.fail.pop(name)
        return 7

    def run(self) -> Health:
        return Replacing(
            data=self.data,
            runner=Runner(kind=Server.UNIT, name=UNIT),
            before=BEFORE,
            expected=frozenset({"Films"}),
            open_plex=lambda: self.plex,
            put=lambda: self.step("put"),
            adjust=lambda: self.step("adjust"),
            undo=lambda number: self.step(f"undo {number}"),
            ports=self.ports,
        ).run()

    @property
    def notes(self):
        return noted.list_noted(self.ports.journal)


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state/plexguard/db-export"))
    (tmp_path / "state/plexguard").mkdir(parents=True)
    return House(ports=fake_ports(), data=PlexData(folder=tmp_path / "Plex Media Server"))


def test_all_is_done_in_its_order_and_nothing_stays_noted(house):
    assert house.run() == BEFORE

    assert house.done == ["stop", "put", "adjust", "start"]
    assert house.notes == ()


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("stop", ["stop", "start"]),
        ("put", ["stop", "put", "start"]),
        ("adjust", ["stop", "put", "adjust", "stop", "undo 7", "start"]),
        ("start", ["stop", "put", "adjust", "start", "stop", "undo 7", "start"]),
    ],
)
def test_step_that_fails_is_taken_back_with_all_before_it(house, step, after):
    house.fail[step] = DataError("it does not fit")

    with pytest.raises(PutBack, match="what was there before is: it does not fit"):
        house.run()

    assert house.done == after and house.notes == ()


def test_plex_that_is_not_well_with_it_has_what_was_there(house):
    # Sick for as long as it is waited for, and well with what it had before.
    looks = 0

    def open_plex() -> FakePlex:
        nonlocal looks
        looks += 1
        house.plex.identities = [PlexRefused("refused")] if "undo 7" not in house.done else [IDENTITY]
        return house.plex

    replacing = Replacing(
        data=house.data,
        runner=Runner(kind=Server.UNIT, name=UNIT),
        before=BEFORE,
        expected=frozenset({"Films"}),
        open_plex=open_plex,
        put=lambda: house.step("put"),
        adjust=lambda: None,
        undo=lambda number: house.step(f"undo {number}"),
        ports=house.ports,
    )
    with pytest.raises(PutBack, match="not well after 900 s: it does not answer"):
        replacing.run()

    assert house.done == ["stop", "put", "start", "stop", "undo 7", "start"] and looks > 10 and house.notes == ()


def test_what_cannot_be_put_back_stays_noted_and_is_told_as_such(house):
    house.fail = {"adjust": DataError("it does not fit"), "undo 7": IoFailed("the disk is gone")}

    with pytest.raises(NotPutBack, match=r"it does not fit; and what was there before is not in place.*the disk is gone"):
        house.run()

    (note,) = house.notes
    assert (note.name, note.generation) == (UNIT, 7)

    # As a boot or the next command does, once the disk is back.
    assert finish(note, lambda now: house.step(f"undo {now.generation}"), house.ports) == "the apply was taken back"
    assert house.done[-3:] == ["stop", "undo 7", "start"] and house.notes == ()


def test_apply_that_was_cut_off_before_anything_was_replaced_only_starts_plex(house):
    with noted.hold(house.data, house.ports.journal) as file:
        file.save(noted.Note(folder=str(house.data.folder), kind="unit", name=UNIT))
        (note,) = house.notes
        with pytest.raises(LockHeld):
            finish(note, lambda now: house.step("undo"), house.ports)

    assert finish(note, lambda now: house.step("undo"), house.ports) == "Plex was started again"
    assert house.done == ["start"] and house.notes == ()
    assert finish(note, lambda now: house.step("undo"), house.ports) == "nothing was cut off"


def test_container_that_was_stopped_is_started_once_docker_is_there(house):
    host = FakeHost(answers={"systemd-run": Completed(code=0, stdout="", stderr="")})
    early = fake_ports(host=host)
    with noted.hold(house.data, early.journal) as file:
        file.save(noted.Note(folder=str(house.data.folder), kind="container", name="plex", generation=3))

    (note,) = house.notes
    assert finish(note, lambda now: house.step(f"undo {now.generation}"), early) == "the apply was taken back"

    (ran,) = host.ran
    assert ran[-4:] == ["docker", "start", "--", "plex"] and "--property=After=docker.service" in ran
    assert house.done == ["undo 3"]
