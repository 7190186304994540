"""Plex data folders with a library in them, small or large, by the real schema: what the tests of databases stand on.

Everything is made from numbers, so that two libraries of the same sizes are the same to the byte but for what SQLite decides.
"""

import hashlib
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count, islice
from pathlib import Path
from urllib.parse import quote

from plexguard.db_export.database.files import PlexData
from tests.fakes.plex import database

MEDIA = "/Media"
NOW = 1_760_000_000
PREFERENCES = (
    '<?xml version="1.0" encoding="utf-8"?>\n<Preferences MachineIdentifier="{machine}" ProcessedMachineIdentifier="{processed}" '
    'AnonymousMachineIdentifier="5f0d6c1e-0000-4000-8000-000000000001" CertificateUUID="0123456789abcdef0123456789abcdef" '
    'PlexOnlineToken="{token}" PlexOnlineUsername="somebody" PlexOnlineMail="somebody@example.org" PlexOnlineHome="1" '
    'FriendlyName="Cinema" AcceptedEULA="1" autoEmptyTrash="0" ButlerStartHour="3"/>\n'
)
MACHINE = "4f2b1c7e-7f1d-4f62-9b52-6f0a4f5d8e11"
TOKEN = "t0kenOfTheLibrary-x1"
_WORDS = ("night", "river", "garden", "stone", "letter", "summer", "shadow", "winter", "glass", "mirror", "harbour", "silence")
_ITEM = (
    "id, library_section_id, parent_id, metadata_type, guid, media_item_count, title, title_sort, original_title, summary, "
    '"index", duration, year, added_at, created_at, updated_at, extra_data, hash'
)
_MEDIA = (
    "id, library_section_id, section_location_id, metadata_item_id, size, duration, bitrate, container, audio_codec, created_at, "
    "updated_at, media_analysis_version, extra_data"
)


def make_plex(
    folder: Path,
    *,
    films: int = 12,
    episodes: int = 18,
    tracks: int = 24,
    page_bytes: int = database.PAGE_BYTES,
    machine: str = MACHINE,
    old_triggers: bool = False,
) -> PlexData:
    """Make a Plex data folder, closed as after a clean stop: no -wal beside its databases. Library 1 has the films, 2 the episodes,
    3 the tracks, below MEDIA. old_triggers: as until Plex 1.42, of which any UPDATE of metadata_items fires one."""
    data = PlexData(folder=folder)
    data.databases.mkdir(parents=True)
    processed = hashlib.sha1(f"{machine}- Plex Media Server".encode()).hexdigest()
    data.preferences.write_text(PREFERENCES.format(machine=machine, processed=processed, token=TOKEN))
    data.preferences.chmod(0o600)
    for path in (data.library, data.blobs):
        _create(path, page_bytes)
    with closing(database.connect(data.library)) as connection:
        _fill(connection, films, episodes, tracks, old_triggers=old_triggers)
    with closing(database.connect(data.blobs)) as connection:
        connection.execute("BEGIN")
        rows = ((i, bytes(random.Random(i).randbytes(200)), "media_part", i, NOW, 5) for i in range(1, films + episodes + 1))
        columns = "id, blob, linked_type, linked_id, created_at, blob_type"
        connection.executemany(f"INSERT INTO blobs ({columns}) VALUES (?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return data


def _create(path: Path, page_bytes: int) -> None:
    with closing(database.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={page_bytes}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")
        connection.executescript(f"BEGIN;\n{database.SCHEMA.read_text()}\n{database.SEED}\nCOMMIT;")
        database.add_spellfix_tables(connection)
    path.chmod(0o644)


def _fill(connection: sqlite3.Connection, films: int, episodes: int, tracks: int, *, old_triggers: bool) -> None:
    connection.execute("PRAGMA synchronous=OFF")
    # What they would do row by row is done at once in the end.
    later = "type IN ('trigger', 'index') AND sql IS NOT NULL AND name NOT LIKE 'spellfix%'"
    put_off = connection.execute(f"SELECT type, name, sql FROM sqlite_master WHERE {later}").fetchall()
    connection.execute("BEGIN")
    for made in put_off:
        connection.execute(f'DROP {made["type"]} "{made["name"]}"')
    _add_sections(connection)
    ids, media = count(1), count(1)
    for items in (_films(films, ids), _episodes(episodes, ids), _tracks(tracks, ids)):
        _add_items(connection, items, media)
    _add_people(connection)
    for table in ("fts4_metadata_titles", "fts4_metadata_titles_icu"):
        connection.execute(
            f"INSERT INTO {table} (docid, title, title_sort, original_title) "
            "SELECT id, title, title_sort, original_title FROM metadata_items"
        )
    for table in ("fts4_tag_titles", "fts4_tag_titles_icu"):
        connection.execute(f"INSERT INTO {table} (docid, tag) SELECT id, tag FROM tags")
    for made in put_off:
        sql = made["sql"]
        connection.execute(sql.replace(" OF title, title_sort, original_title ON", " ON") if old_triggers else sql)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _add_sections(connection: sqlite3.Connection) -> None:
    sections = ((1, "Films", 1, "Films"), (2, "Series", 2, "TV"), (3, "Music", 8, "Music"))
    for key, name, kind, folder in sections:
        connection.execute(
            "INSERT INTO library_sections (id, library_id, name, name_sort, section_type, language, agent, scanner, created_at, "
            "updated_at, uuid) VALUES (?, 1, ?, ?, ?, 'en-US', 'tv.plex.agents', 'Plex Scanner', ?, ?, ?)",
            (key, name, name, kind, NOW, NOW, f"uuid-of-section-{key}"),
        )
        connection.execute(
            "INSERT INTO section_locations (id, library_section_id, root_path, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
            (key, key, f"{MEDIA}/{folder}", NOW, NOW),
        )


class Item:
    """A row of metadata_items, and the file that goes with it. path: "" where it has none."""

    def __init__(self, number: int, section: int, parent: int | None, kind: int, title: str, index: int, path: str = "") -> None:
        self.number, self.section, self.parent, self.kind = number, section, parent, kind
        self.title, self.index, self.path = title, index, path
        self.guid = f"plex://{kind}/{hashlib.sha1(f'{section}/{title}/{number}'.encode()).hexdigest()[:24]}"

    def row(self) -> tuple[object, ...]:
        extra = json.dumps({"at:rating": f"{self.number % 100 / 10}", "url": f"at%3Arating={self.number % 100 / 10}"})
        summary = f"A story of {_title(self.number * 7)} and {_title(self.number * 13)}. " * (1 + self.number % 3)
        head = (self.number, self.section, self.parent, self.kind, self.guid, 1 if self.path else 0, self.title, self.title, "")
        return (*head, summary, self.index, 1_000 * self.number, 1950 + self.number % 75, NOW, NOW, NOW, extra, self.guid[-24:])


def _title(number: int) -> str:
    return f"{_WORDS[number % 12].title()} {_WORDS[number // 12 % 12]} {number}"


def _films(films: int, ids: Iterator[int]) -> Iterator[Item]:
    for n in range(1, films + 1):
        title = _title(n)
        yield Item(next(ids), 1, None, 1, title, n, f"{MEDIA}/Films/{title} ({1950 + n % 75})/{title}.mkv")


def _episodes(episodes: int, ids: Iterator[int]) -> Iterator[Item]:
    for first in range(0, episodes, 10):
        show = f"Show {_title(first // 10)}"
        above = Item(next(ids), 2, None, 2, show, 1)
        yield above
        season = Item(next(ids), 2, above.number, 3, "Season 1", 1)
        yield season
        for n in range(1, min(10, episodes - first) + 1):
            yield Item(next(ids), 2, season.number, 4, f"Part {n}", n, f"{MEDIA}/TV/{show}/Season 01/{show} - S01E{n:02}.mkv")


def _tracks(tracks: int, ids: Iterator[int]) -> Iterator[Item]:
    for first in range(0, tracks, 12):
        name, disc = f"Band {_title(first // 36)}", _title(first // 12)
        artist = Item(next(ids), 3, None, 8, name, 1)
        yield artist
        album = Item(next(ids), 3, artist.number, 9, disc, 1)
        yield album
        for n in range(1, min(12, tracks - first) + 1):
            title = _title(first + n)
            yield Item(next(ids), 3, album.number, 10, title, n, f"{MEDIA}/Music/{name}/{disc}/{n:02} - {title}.flac")


def _add_items(connection: sqlite3.Connection, items: Iterator[Item], media: Iterator[int]) -> None:
    """Enter items with their media, parts and streams, some thousands at a time: there may be half a million."""
    folders: dict[str, int] = {}
    while batch := list(islice(items, 5_000)):
        connection.executemany(f"INSERT INTO metadata_items ({_ITEM}) VALUES ({_marks(18)})", (item.row() for item in batch))
        with_files = [(item, next(media)) for item in batch if item.path]
        for item, _ in with_files:
            _add_folder(connection, folders, item)
        connection.executemany(
            f"INSERT INTO media_items ({_MEDIA}) VALUES ({_marks(13)})",
            (
                (
                    n,
                    i.section,
                    i.section,
                    i.number,
                    1_000 + n,
                    1_000 * n,
                    900,
                    "mkv",
                    "aac",
                    NOW,
                    NOW,
                    6,
                    '{"ma:audioProfile":"lc"}',
                )
                for i, n in with_files
            ),
        )
        connection.executemany(
            "INSERT INTO media_parts (id, media_item_id, directory_id, hash, file, size, duration, created_at, updated_at, "
            f"extra_data) VALUES ({_marks(10)})",
            (
                (n, n, folders[_folder(i)], _hash(i.path), i.path, 1_000 + n, 1_000 * n, NOW, NOW, '{"ma:deepAnalysisVersion":"6"}')
                for i, n in with_files
            ),
        )
        connection.executemany(
            'INSERT INTO media_streams (stream_type_id, media_item_id, url, codec, created_at, updated_at, "index", media_part_id, '
            f"channels, bitrate, extra_data) VALUES ({_marks(11)})",
            (row for i, n in with_files for row in _streams(i, n)),
        )


def _streams(item: Item, number: int) -> Iterator[tuple[object, ...]]:
    loudness = json.dumps({"ln:gain": f"{number % 19 - 9}.31", "ln:loudness": f"-{number % 23}.70", "ln:lra": "7.84"})
    yield (2, number, "", "aac", NOW, NOW, 0, number, 2, 900, loudness)
    if number % 5 == 0:
        # A subtitle beside its film: the one place where a path is written as an address.
        subtitle = "file://" + quote(item.path.rpartition(".")[0] + ".en.srt")
        yield (3, number, subtitle, "srt", NOW, NOW, 1, number, None, None, "")


def _add_folder(connection: sqlite3.Connection, folders: dict[str, int], item: Item) -> None:
    """Enter the folder of a file, by its path below the library's."""
    folder = _folder(item)
    if folder not in folders:
        folders[folder] = (
            connection.execute(
                "INSERT INTO directories (library_section_id, path, created_at, updated_at) VALUES (?, ?, ?, ?)",
                (item.section, "/".join(folder.split("/")[3:]), NOW, NOW),
            ).lastrowid
            or 0
        )


def _folder(item: Item) -> str:
    return item.path.rpartition("/")[0]


def _hash(path: str) -> str:
    return hashlib.sha1(path.encode()).hexdigest()


def _add_people(connection: sqlite3.Connection) -> None:
    """Enter accounts, devices, what was watched, tags and what Plex counts."""
    connection.execute("INSERT INTO accounts (id, name, created_at, updated_at) VALUES (7, 'ana', ?, ?)", (NOW, NOW))
    connection.execute("INSERT INTO devices (id, identifier, name) VALUES (1, 'tv-in-the-room', 'TV')")
    items = connection.execute("SELECT id, guid, metadata_type, title FROM metadata_items WHERE id % 3 = 0 LIMIT 5000").fetchall()
    connection.executemany(
        "INSERT INTO metadata_item_settings (account_id, guid, rating, view_offset, view_count, last_viewed_at, created_at, "
        f"updated_at, changed_at) VALUES ({_marks(9)})",
        ((1 if i % 2 else 7, guid, None, 5_000 * (i % 4), i % 3, NOW + i, NOW, NOW + i, i) for i, guid, _, _ in items),
    )
    connection.executemany(
        "INSERT INTO metadata_item_views (account_id, guid, metadata_type, library_section_id, title, viewed_at, device_id) "
        f"VALUES ({_marks(7)})",
        ((1 if i % 2 else 7, guid, kind, 1, title, NOW + i, 1) for i, guid, kind, title in items),
    )
    connection.executemany(
        "INSERT INTO tags (id, tag, tag_type, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        ((n, f"Tag {word}", 1, NOW, NOW) for n, word in enumerate(_WORDS, 1)),
    )
    connection.executemany(
        'INSERT INTO taggings (metadata_item_id, tag_id, "index", created_at) VALUES (?, ?, 0, ?)',
        ((i, 1 + i % len(_WORDS), NOW) for i, _, _, _ in items),
    )
    connection.executemany(
        "INSERT INTO statistics_bandwidth (account_id, device_id, timespan, at, lan, bytes) VALUES (1, 1, 6, ?, 1, ?)",
        ((NOW + n, 1_000 * n) for n in range(200)),
    )


def _marks(number: int) -> str:
    return ", ".join("?" * number)
