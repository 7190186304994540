"""What the watchdog on a run's machine is told of the Plex there."""

import json

import pytest

from plexguard.cloud_run.server.container import NAME
from plexguard.cloud_run.server.place import Place
from plexguard.cloud_run.storage.protect import make_published, protect
from plexguard.core.found import FoundContainer, FoundPlex, read_container, read_plex
from plexguard.core.plex import Library
from plexguard.rclone_watchdog.protect.observe import find_affected
from tests.fakes.ports import FakeClock, FakeJournal
from tests.unit.cloud_run.samples import LABEL
from tests.unit.cloud_run.storage.test_bring import MEDIA, Machine, said

PLACE = Place(LABEL)


@pytest.fixture
def published(tmp_path) -> tuple[FoundPlex | None, FoundContainer | None]:
    """What a program there reads of what is published."""
    for path, content in make_published(PLACE, MEDIA).items():
        (tmp_path / path.rpartition("/")[2]).write_bytes(content)
    return read_plex(FakeJournal(), tmp_path), read_container(FakeJournal(), tmp_path)


def test_library_on_the_mount_is_known_by_the_containers_own_paths(published):
    plex, container = published
    on_it, elsewhere = (
        Library(key=folder, title=folder, type="movie", folders=(folder,), scanning=False)
        for folder in ("/Media/Films", "/config/x")
    )

    assert find_affected((on_it, elsewhere), MEDIA.point, plex, container, ()) == (on_it,)
    assert plex is not None and plex.owners == {1000} and plex.preferences == PLACE.preferences


def test_watchdog_is_started_anew_after_it_can_know():
    machine = Machine()
    machine.answers.update(dict.fromkeys(("chmod", "ln"), said()))

    protect(machine, PLACE, MEDIA, clock=FakeClock(), tell=lambda _: None, limit_s=10)

    verbs = [" ".join(argv[:2]) for argv in machine.ran]
    assert verbs.index("systemctl stop") < verbs.index("ln --symbolic") < verbs.index("systemctl start")
    assert json.loads(machine.files["/run/plexguard/plex.json"])["name"] == NAME
