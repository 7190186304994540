"""Carry over what users did: ratings, resume points, counts and the history of views, from the database that is replaced into the
copy that replaces it. In one transaction, some hundred items at a time."""

import dataclasses
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plexguard.db_export.database.schema import quoted
from plexguard.db_export.database.sqlite import reading, writing
from plexguard.db_export.restore.decide import (
    Accounts,
    Setting,
    ViewKey,
    format_time,
    map_accounts,
    merge_setting,
    newest,
    parse_time,
)

_SETTINGS, _VIEWS = "metadata_item_settings", "metadata_item_views"
_AT_ONCE = 400
_TIMES = ("last_viewed_at", "created_at", "updated_at", "last_skipped_at", "last_rated_at")
_VIEW_TIMES = ("viewed_at", "originally_available_at")
_FIELDS = tuple(field.name for field in dataclasses.fields(Setting))
Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What was carried over. changed, added: users' state of items. views: of the history. unknown: accounts whose rows, left of
    them, have no account in the database that comes."""

    changed: int = 0
    added: int = 0
    views: int = 0
    unknown: tuple[str, ...] = ()
    left: int = 0


def merge_watch_state(theirs: Path, ours: Path) -> Merged:
    """Change `ours`, which nobody else has open. Raises what reading() and writing() raise; then nothing is changed."""
    with reading(theirs) as source, writing(ours) as target:
        target.execute("BEGIN IMMEDIATE")
        merged = _Merge(source, target).run()
        target.execute("COMMIT")
    return merged


class _Merge:
    def __init__(self, source: sqlite3.Connection, target: sqlite3.Connection) -> None:
        self._source, self._target = source, target
        self._accounts = _find_accounts(source, target)
        self._sections = _map_rows(source, target, "library_sections", "uuid")
        self._devices = _map_rows(source, target, "devices", "identifier")
        self._columns = {table: _common_columns(source, target, table) for table in (_SETTINGS, _VIEWS)}
        self._texts = {table: _has_text_times(target, table) for table in (_SETTINGS, _VIEWS)}
        self._counts: Counter[str] = Counter()
        self._forked_at = self._find_fork()

    def run(self) -> Merged:
        union = " UNION ".join(f"SELECT guid FROM {table} WHERE guid IS NOT NULL" for table in (_SETTINGS, _VIEWS))
        guids = self._source.execute(union)
        while chunk := [guid for (guid,) in guids.fetchmany(_AT_ONCE)]:
            gained, own = self._add_views(chunk)
            self._merge_settings(chunk, gained, own)
        return Merged(
            changed=self._counts["changed"],
            added=self._counts["added"],
            views=self._counts["views"],
            unknown=tuple(sorted(self._accounts.unknown.values())),
            left=self._counts["left"],
        )

    def _find_fork(self) -> int:
        """Return the time of the newest view that both have: until then they were one database. 0 where there is none."""
        for row in _rows(self._source, f"SELECT * FROM {_VIEWS} WHERE guid IS NOT NULL ORDER BY viewed_at DESC"):
            key = _view_key(row, self._accounts)
            if key is not None and key in {_view_key(ours, None) for ours in _select(self._target, _VIEWS, [key.guid])}:
                return key.viewed_at
        return 0

    def _add_views(self, guids: Sequence[str]) -> tuple[Counter[tuple[int, str]], Counter[tuple[int, str]]]:
        """Add the views that only they have; return how many there are of each user and item, and how many only we have."""
        known = {key for row in _select(self._target, _VIEWS, guids) if (key := _view_key(row, None)) is not None}
        theirs = {_view_key(row, self._accounts) for row in _select(self._source, _VIEWS, guids)}
        # An older one that they don't have is one that they have removed from their history since.
        own = Counter((key.account_id, key.guid) for key in known - theirs if key.viewed_at > self._forked_at)
        gained: Counter[tuple[int, str]] = Counter()
        for row in _select(self._source, _VIEWS, guids):
            key = _view_key(row, self._accounts)
            if key is None:
                self._counts["left"] += 1
            elif key not in known:
                known.add(key)
                self._insert(_VIEWS, self._translate_view(row, key))
                self._counts["views"] += 1
                gained[key.account_id, key.guid] += 1
        return gained, own

    def _translate_view(self, row: Row, key: ViewKey) -> Row:
        as_text = self._texts[_VIEWS]
        times = {name: format_time(parse_time(row[name]), as_text=as_text) for name in _VIEW_TIMES if name in row}
        section = self._sections.get(row.get("library_section_id"))
        return {
            **row,
            **times,
            "account_id": key.account_id,
            "library_section_id": section,
            "device_id": self._device(row.get("device_id")),
        }

    def _device(self, number: object) -> object:
        """Return our number of a device; one that is new to us is entered."""
        if number is None or number in self._devices:
            return self._devices.get(number)
        row = self._source.execute("SELECT * FROM devices WHERE id = ?", (number,)).fetchone()
        if row is not None:
            names = [name for name in _common_columns(self._source, self._target, "devices") if name != "id"]
            theirs = dict(zip(_columns(self._source, "devices"), row, strict=True))
            as_text = _has_text_times(self._target, "devices", "created_at")
            times = {n: format_time(parse_time(theirs.get(n)), as_text=as_text) for n in ("created_at", "updated_at")}
            self._devices[number] = self._insert("devices", {name: {**theirs, **times}[name] for name in names}, names)
        return self._devices.get(number)

    def _merge_settings(self, guids: Sequence[str], gained: Counter[tuple[int, str]], own: Counter[tuple[int, str]]) -> None:
        rows = list(_select(self._target, _SETTINGS, guids))
        by_setting = [(_setting(row), row["id"]) for row in rows]
        ours = newest(setting for setting, _ in by_setting)
        numbers = {(s.account_id, s.guid): number for s, number in by_setting if s == ours[s.account_id, s.guid]}
        theirs = []
        for row in _select(self._source, _SETTINGS, guids):
            account = self._accounts.ours.get(_integer(row["account_id"]) or 0)
            if account is None:
                self._counts["left"] += 1
            else:
                theirs.append(dataclasses.replace(_setting(row), account_id=account))
        for key, setting in newest(theirs).items():
            merged = merge_setting(ours.get(key), setting, gained=gained[key], own=own[key])
            if key not in ours:
                self._insert(_SETTINGS, self._row_of(merged))
                self._counts["added"] += 1
            elif merged != ours[key]:
                self._update(numbers[key], self._row_of(merged))
                self._counts["changed"] += 1

    def _row_of(self, setting: Setting) -> Row:
        row = {name: getattr(setting, name) for name in _FIELDS}
        return row | {name: format_time(row[name], as_text=self._texts[_SETTINGS]) for name in _TIMES}

    def _insert(self, table: str, row: Row, columns: Sequence[str] | None = None) -> int:
        names = [name for name in columns or self._columns[table] if name != "id" and name in row]
        listed = ", ".join(map(quoted, names))
        sql = f"INSERT INTO {table} ({listed}) VALUES ({', '.join('?' * len(names))})"
        return self._target.execute(sql, [row[name] for name in names]).lastrowid or 0

    def _update(self, number: object, row: Row) -> None:
        names = [name for name in self._columns[_SETTINGS] if name != "id" and name in row]
        listed = ", ".join(f"{quoted(name)} = ?" for name in names)
        values = [*(row[name] for name in names), number]
        self._target.execute(f"UPDATE {_SETTINGS} SET {listed} WHERE id = ?", values)


def _find_accounts(source: sqlite3.Connection, target: sqlite3.Connection) -> Accounts:
    ours, theirs = (
        {int(number): str(name or "") for number, name in connection.execute("SELECT id, name FROM accounts")}
        for connection in (target, source)
    )
    used: set[int] = set()
    for table in (_SETTINGS, _VIEWS):
        rows = source.execute(f"SELECT DISTINCT account_id FROM {table} WHERE account_id IS NOT NULL")
        used |= {int(number) for (number,) in rows}
    return map_accounts(ours, theirs, used)


def _map_rows(source: sqlite3.Connection, target: sqlite3.Connection, table: str, mark: str) -> dict[object, object]:
    """Return our id for each of their rows that bears the same mark."""
    sql = f"SELECT {mark}, id FROM {table} WHERE {mark} IS NOT NULL AND {mark} <> ''"
    ours: Mapping[object, object] = dict(target.execute(sql).fetchall())
    return {number: ours[value] for value, number in source.execute(sql) if value in ours}


def _select(connection: sqlite3.Connection, table: str, guids: Sequence[str]) -> Iterator[Row]:
    marks = ", ".join("?" * len(guids))
    return _rows(connection, f"SELECT * FROM {table} WHERE guid IN ({marks}) ORDER BY id", tuple(guids))


def _rows(connection: sqlite3.Connection, sql: str, values: tuple[str, ...] = ()) -> Iterator[Row]:
    found = connection.execute(sql, values)
    names = [column[0] for column in found.description]
    return (dict(zip(names, row, strict=True)) for row in found)


def _view_key(row: Row, accounts: Accounts | None) -> ViewKey | None:
    """Return what a view is known by, among ours; None where its user is not known."""
    number = _integer(row["account_id"])
    account = number if accounts is None else accounts.ours.get(number or 0)
    if account is None:
        return None
    view_type = _integer(row.get("view_type")) or 0
    return ViewKey(account_id=account, guid=str(row["guid"]), viewed_at=parse_time(row["viewed_at"]) or 0, view_type=view_type)


def _setting(row: Row) -> Setting:
    rating, extra = row.get("rating"), row.get("extra_data")
    return Setting(
        account_id=_integer(row["account_id"]) or 0,
        guid=str(row["guid"]),
        rating=float(rating) if isinstance(rating, int | float) else None,
        view_offset=_integer(row.get("view_offset")),
        view_count=_integer(row.get("view_count")),
        skip_count=_integer(row.get("skip_count")),
        changed_at=_integer(row.get("changed_at")),
        extra_data=str(extra) if extra is not None else None,
        last_viewed_at=parse_time(row.get("last_viewed_at")),
        created_at=parse_time(row.get("created_at")),
        updated_at=parse_time(row.get("updated_at")),
        last_skipped_at=parse_time(row.get("last_skipped_at")),
        last_rated_at=parse_time(row.get("last_rated_at")),
    )


def _integer(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in connection.execute(f"PRAGMA table_info({quoted(table)})"))


def _common_columns(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> tuple[str, ...]:
    theirs = set(_columns(source, table))
    return tuple(name for name in _columns(target, table) if name in theirs)


def _has_text_times(connection: sqlite3.Connection, table: str, column: str = "") -> bool:
    wanted = column or {_SETTINGS: "updated_at", _VIEWS: "viewed_at"}[table]
    types = {row[1]: str(row[2]).lower() for row in connection.execute(f"PRAGMA table_info({quoted(table)})")}
    return types.get(wanted, "").startswith("datetime")
