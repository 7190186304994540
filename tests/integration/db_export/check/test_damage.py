"""Every kind of damage is found: over a hundred of them, each made on a library that is sound without it."""

import random
import shutil
from pathlib import Path

import pytest

from plexguard.db_export.check import pages
from plexguard.db_export.check.findings import Kind, Report, Severity
from plexguard.db_export.check.run import check_database
from tests.fakes.damage import KINDS, grow
from tests.fakes.libraries import make_plex

# What Plex goes on working with: a person should look, and nothing says that something is lost.
ODD = {
    "wal-broken-in-the-middle",
    "wal-with-a-broken-header",
    "search-segments-forgotten",
    "search-lengths-lost",
    "search-words-of-other-titles",
    "search-titles-of-other-items",
    "files-without-their-version",
    "library-without-its-row",
    "sequence-behind-its-table",
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = make_plex(tmp_path_factory.mktemp("sound") / "plex", films=150, episodes=40, tracks=60)
    grow(data.library)
    return data.library


@pytest.fixture(autouse=True)
def _as_if_it_was_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the indexes of every table shared out, as those of large ones are."""
    monkeypatch.setattr(pages, "_MANY_ROWS", 1)


def check(sound: Path, folder: Path, name: str) -> Report:
    """Check a library with that damage; the work folder is empty afterwards."""
    library, work = folder / "library" / sound.name, folder / "work"
    library.parent.mkdir()
    work.mkdir()
    shutil.copy(sound, library)
    KINDS[name](library)
    report = check_database(library, work=work)
    assert not list(work.iterdir())
    return report


def test_the_library_is_sound_before_it_is_damaged(sound: Path, tmp_path: Path) -> None:
    report = check_database(sound, work=tmp_path)
    assert report.findings == ()
    assert report.rows["metadata_items"] == report.rows["section 1"] + report.rows["section 2"] + report.rows["section 3"]


@pytest.mark.parametrize("name", KINDS)
def test_damage_is_found(name: str, sound: Path, tmp_path: Path) -> None:
    report = check(sound, tmp_path, name)
    assert [finding for finding in report.findings if finding.severity is not Severity.NOTE]
    assert report.is_sound == (name in ODD)
    assert all(finding.cure and finding.detail for finding in report.findings)


@pytest.mark.parametrize(
    ("name", "kind", "table"),
    [
        ("zeroed-table-leaf", Kind.TABLE, "metadata_items"),
        ("flipped-bit-in-an-indexed-path", Kind.INDEX, "media_parts"),
        ("icu-index-with-an-old-title", Kind.INDEX, "metadata_items"),
        ("zeroed-icu-index-leaf", Kind.TABLE, "metadata_items"),
        ("freelist-lost", Kind.PAGES, ""),
        ("freelist-trunk-zeroed", Kind.PAGES, ""),
        ("half-written-search-words", Kind.FULL_TEXT, "fts4_metadata_titles_icu"),
        ("schema-row-lost", Kind.MISSING_TABLE, "section_locations"),
        ("page-count-too-low", Kind.LENGTH, ""),
        ("wal-beside-a-repaired-database", Kind.WAL, ""),
        ("wal-of-the-time-before", Kind.WAL, ""),
        ("sequence-behind-its-table", Kind.SEQUENCE, "metadata_items"),
    ],
)
def test_damage_is_told_by_what_it_is(name: str, kind: Kind, table: str, sound: Path, tmp_path: Path) -> None:
    report = check(sound, tmp_path, name)
    assert (kind, table) in {(finding.kind, finding.table) for finding in report.findings}


def test_a_message_before_the_check_stops_is_not_lost(sound: Path, tmp_path: Path) -> None:
    report = check(sound, tmp_path, "zeroed-table-leaf")
    assert any("btreeInitPage" in finding.detail for finding in report.findings)


def test_damage_stands_before_what_is_only_odd(sound: Path, tmp_path: Path) -> None:
    report = check(sound, tmp_path, "row-ids-out-of-order")
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert Severity.WARNING in severities


@pytest.mark.parametrize("number", range(15))
def test_whatever_is_broken_a_report_is_made(number: int, sound: Path, tmp_path: Path) -> None:
    chance, raw = random.Random(number), bytearray(sound.read_bytes())
    # Anywhere, but most of it where the schema and the header are.
    for _ in range(20):
        raw[chance.randrange(chance.choice((100, 14 * 1024, len(raw))))] = chance.randrange(256)
    library = tmp_path / sound.name
    library.write_bytes(raw)
    library.with_name(f"{library.name}-wal").write_bytes(chance.randbytes(chance.choice((0, 10, 5_000))))
    assert check_database(library, work=tmp_path).findings
