"""What a person reads of a repair."""

from datetime import UTC, datetime
from pathlib import Path

from plexguard.db_export.check.findings import Kind, damage
from plexguard.db_export.database.files import BLOBS, LIBRARY
from plexguard.db_export.repair.act import Repaired, choose
from plexguard.db_export.repair.decide import Loss, Rung
from plexguard.db_export.repair.ladder import Climb, Tried
from plexguard.db_export.repair.report import encode_repaired, say_failure, say_losses, show
from plexguard.db_export.swap.generations import Generation

FOLDER = Path("/data/Databases")
LOSS = Loss(table="tags", best=100, kept=95)
FINDINGS = (damage(Kind.TABLE, "page 7 makes no sense", table="tags"),)
SALVAGED = Tried(rung=Rung.SALVAGE, file=FOLDER / "w" / "x", kept={"tags": 95}, losses=(LOSS,), to_do=("CREATE INDEX i ON t (a);",))
NO_ARCHIVE = Tried(rung=Rung.SNAPSHOT, failed="it cannot be unpacked", archive="plex-1.tar.zst")
SOUND = Climb(database=BLOBS, findings=())


def test_a_sound_database_is_one_line():
    done = Repaired(climbs=(SOUND,))
    assert list(show(done, max_loss=0.001)) == [f"{BLOBS}: sound, nothing to do"]
    assert encode_repaired(done)["sound"] is True


def test_what_is_taken_is_said_with_what_it_lost_where_the_rest_is_and_what_is_left_to_do():
    climb = Climb(database=LIBRARY, findings=FINDINGS, tried=(SALVAGED,), taken=SALVAGED)
    folder = FOLDER / "plexguard-undo" / "0001-repair"
    generation = Generation(number=1, made=datetime.now(UTC), reason="repair", folder=folder)
    lines = "\n".join(show(Repaired(climbs=(climb, SOUND), generation=generation), max_loss=0.1))
    assert "  table: tags: page 7 makes no sense" in lines
    assert "salvage: passes the check, 95 rows kept, 5 lost: taken" in lines
    assert "tags: 95 of 100 rows, 5 lost (5.00%)" in lines
    assert str(folder) in lines
    assert "CREATE INDEX" not in lines
    assert lines.splitlines()[-1].startswith("Left to do")
    assert encode_repaired(Repaired(climbs=(climb,)))["left_to_do"] == [{"database": LIBRARY, "sql": "CREATE INDEX i ON t (a);"}]


def test_what_was_found_that_belongs_to_no_table_is_told():
    recovered = Tried(rung=Rung.RECOVER, file=FOLDER / "w" / "y", kept={"tags": 99}, aside=12)
    climb = Climb(database=LIBRARY, findings=FINDINGS, tried=(SALVAGED, recovered), taken=recovered)
    lines = list(show(Repaired(climbs=(climb,)), max_loss=0.001))
    assert lines[-2:] == [
        "    12 entries that it found belong to no table",
        "Nothing was put in place: Plex's files are as they were",
    ]
    assert lines[-3] == "  .recover: passes the check, 99 rows kept, 0 lost: taken"


def test_what_would_lose_too_much_is_refused_in_so_many_words():
    climb = Climb(database=LIBRARY, findings=FINDINGS, tried=(SALVAGED, NO_ARCHIVE))
    done = Repaired(climbs=(climb,))
    assert done.failed == (climb,)
    lines = "\n".join(show(done, max_loss=0.001))
    assert "5 lost: too much, the limit is 0.1% of a table" in lines
    assert "snapshot plex-1.tar.zst: failed: it cannot be unpacked" in lines
    assert "Plex's files are as they were" in lines
    assert say_failure(climb, max_loss=0.001) == "salvage would lose 5 of 100 rows of tags, the limit is 0.1%"
    assert say_losses(SALVAGED) == "tags 5"


def test_without_anything_that_passed_the_reasons_are_said():
    climb = Climb(database=LIBRARY, findings=FINDINGS, tried=(NO_ARCHIVE,))
    assert say_failure(climb, max_loss=0.001) == "snapshot plex-1.tar.zst: it cannot be unpacked"


def test_a_library_from_an_archive_brings_its_blobs(tmp_path):
    for name in (LIBRARY, BLOBS):
        (tmp_path / name).touch()
    taken = Tried(rung=Rung.SNAPSHOT, file=tmp_path / LIBRARY, archive="plex-1.tar.zst")
    new, along = choose((Climb(database=LIBRARY, findings=FINDINGS, tried=(taken,), taken=taken), SOUND))
    assert new == {LIBRARY: tmp_path / LIBRARY, BLOBS: tmp_path / BLOBS}
    assert along == (BLOBS,)
