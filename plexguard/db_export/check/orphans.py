"""Rows that belong to others that are gone, and search entries that are not the library's titles. Reads a copy."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.db_export.check.findings import Finding, Kind, warning
from plexguard.db_export.database.schema import quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Rows of one table that name those of another by number. what: both, for people."""

    table: str
    column: str
    parent: str
    what: str


# Where Plex leaves a number empty or 0, the row belongs to nothing, and that is no fault.
LINKS = (
    Link(table="metadata_items", column="library_section_id", parent="library_sections", what="items without their library"),
    Link(table="metadata_items", column="parent_id", parent="metadata_items", what="items without the one above them"),
    Link(table="media_items", column="metadata_item_id", parent="metadata_items", what="versions without their item"),
    Link(table="media_items", column="section_location_id", parent="section_locations", what="versions without their folder"),
    Link(table="media_parts", column="media_item_id", parent="media_items", what="files without their version"),
    Link(table="media_parts", column="directory_id", parent="directories", what="files without their folder"),
    Link(table="media_streams", column="media_part_id", parent="media_parts", what="streams without their file"),
    Link(table="section_locations", column="library_section_id", parent="library_sections", what="folders without their library"),
    Link(table="directories", column="library_section_id", parent="library_sections", what="folders without their library"),
    Link(table="taggings", column="metadata_item_id", parent="metadata_items", what="taggings without their item"),
    Link(table="taggings", column="tag_id", parent="tags", what="taggings without their tag"),
)


def find_orphans(connection: sqlite3.Connection) -> Iterator[Finding]:
    """Yield where rows belong to others that are not there. Raises sqlite3.Error where one of the tables cannot be read."""
    columns = {(t, c) for t, c in connection.execute(
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c WHERE m.type = 'table'"
    )}  # fmt: skip
    for link in LINKS:
        if (link.table, link.column) not in columns or (link.parent, "id") not in columns:
            continue
        child, column, parent = quoted(link.table), quoted(link.column), quoted(link.parent)
        (number,) = connection.execute(
            f"SELECT count(*) FROM {child} AS c WHERE c.{column} > 0 "
            f"AND NOT EXISTS (SELECT 1 FROM {parent} AS p WHERE p.id = c.{column})"
        ).fetchone()
        if number:
            yield warning(Kind.ORPHANS, f"{number} {link.what} ({link.column})", table=link.table)
