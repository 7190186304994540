"""Exports of a library that somebody changes all the time: each shows one state, and one that there was."""

from plexguard.db_export.archive.keep import Rules, choose_removed, list_archives
from plexguard.db_export.database.files import with_sides
from tests.fakes.libraries import make_plex
from tests.fakes.restless import restless
from tests.integration.db_export.archives import make_archive, prove_export
from tests.waiting import await_true

EXPORTS = 5


def test_every_archive_shows_a_state_that_there_was(tmp_path):
    data = make_plex(tmp_path / "Plex Media Server", films=300, episodes=300, tracks=300)
    with restless(data.library) as writer:
        seen = [prove_export(data, tmp_path / "archives", writer) for _ in range(EXPORTS)]
        await_true(lambda: writer.version > seen[-1] + 1, what="the writer goes on")
    assert seen == sorted(set(seen))
    # The -wal is not kept from shrinking for longer than a copy takes: it holds some versions, not all.
    wal = with_sides(data.library)[1]
    assert not wal.exists() or wal.stat().st_size < 20 * data.library.stat().st_size


def test_archives_of_one_day_are_one_in_the_end(tmp_path):
    data = make_plex(tmp_path / "Plex Media Server", films=1, episodes=0, tracks=0)
    for _ in range(3):
        exported = make_archive(data, tmp_path / "archives")
    archives = list_archives(tmp_path / "archives")
    rules = Rules(daily=1, weekly=1, monthly=1)
    removed = choose_removed(archives, rules, machine_identifier=exported.manifest.machine_identifier)
    assert [kept.path for kept in archives if kept not in removed] == [exported.path]
