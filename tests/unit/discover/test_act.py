"""What is published, and what is told of it."""

import dataclasses
import os
from pathlib import Path

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.found import FoundPlex, Server
from plexguard.core.manager import Unit
from plexguard.discover.act import link_preferences, pass_on_address, reload, tell_changes
from tests.fakes.ports import FakeJournal, FakeManager

UNIT = FoundPlex(server=Server.UNIT, name="plexmediaserver.service", url="http://127.0.0.1:32400", folders=("/srv/media",))
NONE = FoundPlex(server=Server.NONE, missing="there is no Plex")


def tell(now: FoundPlex, past: FoundPlex | None) -> FakeJournal:
    journal = FakeJournal()
    tell_changes(now, past, journal)
    return journal


def test_a_server_that_is_new_is_told() -> None:
    journal = tell(UNIT, None)

    assert journal.names == ["discover.found"]
    assert journal.values("discover.found")["server"] == "unit plexmediaserver.service"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "plex2.service"},
        {"url": "http://127.0.0.1:32401"},
        {"folders": ("/srv/media", "/srv/more")},
        {"server": Server.CONTAINER},
    ],
    ids=["name", "url", "folders", "kind"],
)
def test_what_changes_is_told_once(change: dict[str, object]) -> None:
    now = dataclasses.replace(UNIT, **change)

    assert tell(now, UNIT).names == ["discover.found"]
    assert tell(now, now).names == []


def test_what_does_not_concern_anybody_is_not_told() -> None:
    assert tell(dataclasses.replace(UNIT, preferences="/new.xml"), UNIT).names == []


def test_a_server_that_goes_is_told_once_with_the_reason() -> None:
    journal = tell(NONE, UNIT)

    assert journal.values("discover.not-found") == {"reason": "there is no Plex"}
    assert tell(NONE, NONE).names == []
    assert tell(UNIT, NONE).names == ["discover.found"]


def test_a_folder_inside_the_container_is_told_once() -> None:
    now = dataclasses.replace(UNIT, server=Server.CONTAINER, name="plex", unmapped=("/config/a", "/config/b"))
    past = dataclasses.replace(now, unmapped=("/config/a",))

    journal = tell(now, past)

    assert journal.values("discover.unmapped") == {"folder": "/config/b", "container": "plex"}


def test_a_folder_that_is_mounted_or_gone_is_told_once() -> None:
    past = dataclasses.replace(UNIT, server=Server.CONTAINER, name="plex", unmapped=("/config/a", "/config/b"))
    now = dataclasses.replace(past, unmapped=("/config/a",))

    assert tell(now, past).names == ["discover.mapped"]
    assert tell(now, past).values("discover.mapped")["folder"] == "/config/b"
    assert tell(now, now).names == []


def test_folders_of_a_container_that_is_not_guarded_any_more_are_no_fault() -> None:
    past = dataclasses.replace(UNIT, server=Server.CONTAINER, name="plex", unmapped=("/config/a",))

    told = tell(UNIT, past).values("discover.mapped")

    assert (told["folder"], told["container"]) == ("/config/a", "plex")
    assert tell(NONE, past).names == ["discover.not-found"]


def test_a_folder_inside_another_container_is_another_one() -> None:
    past = dataclasses.replace(UNIT, server=Server.CONTAINER, name="plex", unmapped=("/config/a",))
    now = dataclasses.replace(past, name="plex-new")

    assert tell(now, past).names == ["discover.mapped", "discover.found", "discover.unmapped"]


def test_a_folder_that_was_mounted_while_the_machine_was_off_is_told() -> None:
    kept = dataclasses.replace(UNIT, server=Server.CONTAINER, name="plex", unmapped=("/config/a",))
    journal = FakeJournal()

    tell_changes(dataclasses.replace(kept, unmapped=()), None, journal, kept=kept)

    assert journal.names == ["discover.mapped", "discover.found"]


# -- the link to Preferences.xml --------------------------------------------------------------------------------------


def test_the_link_leads_to_the_server_at_hand(tmp_path: Path) -> None:
    link = tmp_path / "Preferences.xml"

    link_preferences(link, "/var/lib/a.xml")
    link_preferences(link, "/var/lib/b c.xml")

    assert os.readlink(link) == "/var/lib/b c.xml"
    assert os.listdir(tmp_path) == [link.name]


def test_a_link_that_is_right_is_left_as_it_is(tmp_path: Path) -> None:
    link = tmp_path / "Preferences.xml"
    link_preferences(link, "/var/lib/a.xml")
    before = link.lstat()

    link_preferences(link, "/var/lib/a.xml")

    assert link.lstat().st_ino == before.st_ino


def test_without_preferences_there_is_no_link(tmp_path: Path) -> None:
    link = tmp_path / "Preferences.xml"
    link_preferences(link, "/var/lib/a.xml")

    link_preferences(link, "")
    link_preferences(link, "")

    assert not link.is_symlink()


def test_a_plain_file_in_the_links_place_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "Preferences.xml"
    link.write_text("stale")

    link_preferences(link, "/var/lib/a.xml")

    assert os.readlink(link) == "/var/lib/a.xml"


def test_a_leftover_of_a_run_that_was_cut_short_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / f".Preferences.xml.{os.getpid()}").symlink_to("/somewhere")

    link_preferences(tmp_path / "Preferences.xml", "/var/lib/a.xml")

    assert os.listdir(tmp_path) == ["Preferences.xml"]


def test_a_folder_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(IoFailed, match=r"Preferences\.xml"):
        link_preferences(tmp_path / "away/Preferences.xml", "/var/lib/a.xml")


# -- what runs with older settings ------------------------------------------------------------------------------------


def test_services_that_run_are_restarted_when_their_drop_ins_changed(tmp_path: Path) -> None:
    names = ("plexguard-log-watch.service", "plexguard-other.service", "plexguard-perms-audit.service")
    states = ("active", "active", "activating")
    manager = FakeManager(
        *(Unit(name=name, load_state="loaded", active_state=state) for name, state in zip(names, states, strict=True))
    )

    def generate(verb: str, _name: str) -> None:
        for name in (names[0], names[2]) if verb == "daemon-reload" else ():
            (tmp_path / f"{name}.d").mkdir()
            (tmp_path / f"{name}.d/50-plex.conf").write_text("[Service]\n")

    manager.on = generate
    reload(manager, tmp_path)

    assert manager.asked == [("daemon-reload", ""), ("try-restart", "plexguard-log-watch.service")]


FRONT, PICTURES = "plexguard-proxy.service", "plexguard-proxy-pictures.service"
ELSEWHERE = dataclasses.replace(UNIT, url="http://127.0.0.1:32500")


def reloaded(now: FoundPlex, past: FoundPlex | None, **states: str) -> list[tuple[str, str]]:
    units = {FRONT: states.get("front", "active"), PICTURES: states.get("pictures", "active")}
    manager = FakeManager(*(Unit(name=name, load_state="loaded", active_state=state) for name, state in units.items()))
    pass_on_address(now, past, manager)
    return manager.asked


def test_services_that_lead_to_plex_are_reloaded_when_it_answers_elsewhere() -> None:
    both = [("try-reload", PICTURES), ("try-reload", FRONT)]

    assert reloaded(ELSEWHERE, UNIT) == both
    assert reloaded(ELSEWHERE, None) == both
    assert reloaded(NONE, ELSEWHERE) == both
    # It is started with what was read a moment before.
    assert reloaded(ELSEWHERE, UNIT, front="activating") == both


def test_nothing_is_reloaded_for_what_they_do_not_read() -> None:
    assert reloaded(dataclasses.replace(UNIT, folders=("/srv/other",), name="plex.service"), UNIT) == []
    # What is taken before anything is found is the usual address.
    assert reloaded(UNIT, None) == []
    assert reloaded(NONE, UNIT) == []


def test_a_proxy_that_is_off_stays_off() -> None:
    assert reloaded(ELSEWHERE, UNIT, front="inactive", pictures="failed") == []
