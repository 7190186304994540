"""Files that are known to be there, in turn."""

from random import Random

import pytest

from plexguard.core.errors import IoFailed
from plexguard.core.journal import StderrJournal
from plexguard.core.state import StateFile
from plexguard.rclone_watchdog.asking.samples import SCHEMA, WANTED, Known, Sample, Samples, choose_samples, is_hidden

FILES = tuple(Sample(path=f"Films/{n}/{n}.mkv", size=1 << 30) for n in range(5))


def make(folder=None, *, remote="s3:media", canary=""):
    file = StateFile(folder / "samples.json", Known, schema=SCHEMA, journal=StderrJournal()) if folder else None
    return Samples(remote, file=file, rng=Random(1), canary=canary)


def full(folder=None):
    samples = make(folder)
    samples.add(FILES)
    return samples


def test_each_file_has_its_turn_before_any_has_a_second():
    samples = full()
    for _ in range(3):
        assert {samples.next() for _ in FILES} == set(FILES)


def test_they_are_known_after_a_start_and_forgotten_for_another_remote(tmp_path):
    full(tmp_path)
    assert make(tmp_path).count == len(FILES)
    assert make(tmp_path, remote="s3:other").count == 0
    assert make(tmp_path, canary="x").count == 1


def test_names_that_are_not_utf8_are_known_after_a_start(tmp_path):
    odd = Sample(path="F\udce9/\n'\".mkv", size=7)
    make(tmp_path).add([odd])
    assert make(tmp_path).next() == odd


def test_a_missing_file_is_not_asked_again_while_others_are_there():
    samples = full()
    assert not samples.note_missing(FILES[0])
    assert FILES[0] not in {samples.next() for _ in range(20)}


def test_all_missing_is_told_and_none_is_forgotten():
    samples = full()
    told = [samples.note_missing(file) for file in FILES]
    assert told == [False, False, False, False, True]
    assert samples.next() in FILES
    assert samples.count == len(FILES)


def test_one_that_is_read_shows_that_those_that_were_missing_were_deleted(tmp_path):
    samples = full(tmp_path)
    samples.note_missing(FILES[0])
    samples.note_missing(FILES[1])
    samples.note_read(FILES[2])
    assert samples.count == 3
    assert make(tmp_path).count == 3


def test_one_that_is_there_again_is_kept():
    samples = full()
    for file in FILES:
        samples.note_missing(file)
    samples.note_read(FILES[3])
    assert (samples.count, samples.next()) == (1, FILES[3])


def test_a_new_size_is_kept():
    samples = full()
    samples.note_read(Sample(path=FILES[0].path, size=5))
    assert Sample(path=FILES[0].path, size=5) in {samples.next() for _ in FILES}


def test_enough_are_enough():
    samples = make()
    samples.add([Sample(path=f"{n}", size=1) for n in range(WANTED + 10)])
    assert (samples.count, samples.are_wanted) == (WANTED, False)
    samples.note_missing(Sample(path="0", size=1))
    assert samples.are_wanted


def test_nothing_known_gives_nothing():
    assert make().next() is None


def test_a_canary_stays_whatever_is_found_or_missing(tmp_path):
    samples = make(tmp_path, canary="/deep/canary.bin")
    samples.add(FILES)
    assert samples.note_missing(Sample(path="deep/canary.bin", size=0))
    assert samples.next() == Sample(path="deep/canary.bin", size=0)
    assert (samples.are_wanted, samples.has_canary) == (False, True)


def test_a_disk_that_takes_nothing_does_not_end_the_watch(tmp_path):
    class Full(StateFile[Known]):
        def save(self, record: Known) -> None:
            raise IoFailed("no space left")

    samples = Samples("r:", file=Full(tmp_path / "s", Known, schema=SCHEMA, journal=StderrJournal()), rng=Random(1))
    samples.add(FILES)
    assert samples.count == len(FILES)


def test_of_a_folder_some_are_chosen_large_ones_first():
    small = [Sample(path=f"{n}.nfo", size=100) for n in range(50)]
    chosen = choose_samples([*small, *FILES, Sample(path="empty", size=0)], Random(1))
    assert 0 < len(chosen) < len(FILES)
    assert set(chosen) <= set(FILES)
    assert choose_samples([Sample(path="empty", size=0)], Random(1)) == ()
    assert set(choose_samples(small, Random(1))) <= set(small)


@pytest.mark.parametrize("name", [".hidden", "@eaDir", "#recycle", "lost+found", "$RECYCLE.BIN"])
def test_waste_baskets_are_no_media(name):
    assert is_hidden(name)
    assert not is_hidden("Films")
