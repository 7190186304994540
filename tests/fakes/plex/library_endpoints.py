"""The endpoints that read the library database or the media."""

from __future__ import annotations

import os
import re
import sqlite3
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from .context import Context
from .library import LEVELS, SECTION_TYPES, TYPE_NAMES, Section
from .messages import Reply, Request, html_error, show
from .render import Node, Value, container
from .scanner import Request as ScanRequest

ITEM_ELEMENTS = {1: "Video", 4: "Video", 10: "Track", 13: "Photo"}
RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


def sections(context: Context, request: Request) -> Reply:
    """All libraries."""
    nodes = [section_node(context, section) for section in context.library.sections()]
    return show(request, container(*nodes, allowSync=False, title1="Plex Library"))


def section_node(context: Context, section: Section) -> Node:
    """Return one library."""
    return Node(
        "Directory",
        {
            "allowSync": False,
            "filters": True,
            "refreshing": section.key in context.scanner.refreshing,
            "key": str(section.key),
            "type": section.type,
            "title": section.title,
            "agent": section.agent,
            "scanner": section.scanner,
            "language": section.language,
            "uuid": section.uuid,
            "updatedAt": section.updated_at,
            "createdAt": section.created_at,
            "scannedAt": section.scanned_at,
            "content": True,
            "directory": True,
            "contentChangedAt": section.content_changed_at,
            "hidden": 0,
        },
        tuple(Node("Location", {"id": location.id, "path": location.path}) for location in section.locations),
    )


def add_section(context: Context, request: Request) -> Reply:
    """Create a library."""
    name, kind, folders = request.parameter("name"), request.parameter("type"), request.query.get("location", [])
    if not name or kind not in SECTION_TYPES or not folders:
        return html_error(400)
    key = context.library.add_section(
        name,
        kind,
        folders,
        agent=request.parameter("agent"),
        scanner=request.parameter("scanner"),
        language=request.parameter("language", "en-US"),
    )
    section = context.library.section(key)
    assert section is not None
    node = container(section_node(context, section), allowSync=False, title1="Plex Library")
    return show(request, node, status=201, headers={"Location": f"/library/sections/{key}"})


def section_items(context: Context, request: Request, key: str) -> Reply:
    """A page of a library, or only its size."""
    section = context.library.section(int(key))
    if section is None:
        return html_error(404)
    page = Page.from_request(request)
    number = request.parameter("type", str(LEVELS[section.type][0]))
    if page is None or not number.isdigit():
        return html_error(400)
    trashed_only = request.parameter("trash") == "1"
    rows = context.library.items(
        section.key, int(number), start=page.start, size=-1 if page.size is None else page.size, trashed_only=trashed_only
    )
    nodes = [item_node(context, section, row) for row in rows]
    attributes: dict[str, Value] = {
        "allowSync": True,
        "identifier": "com.plexapp.plugins.library",
        "librarySectionID": section.key,
        "librarySectionTitle": section.title,
        "librarySectionUUID": section.uuid,
        "title1": section.title,
        "viewGroup": TYPE_NAMES.get(int(number), ""),
    }
    if page.size is None:
        return show(request, container(*nodes, **attributes))
    total = len(context.library.items(section.key, int(number), start=0, size=-1, trashed_only=True)) if trashed_only else None
    total = context.library.count(section.key, int(number)) if total is None else total
    return show(
        request,
        container(*nodes, totalSize=total, offset=page.start, **attributes),
        headers={"X-Plex-Container-Start": str(page.start), "X-Plex-Container-Total-Size": str(total)},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is wanted; size None is all of it."""

    start: int
    size: int | None

    @classmethod
    def from_request(cls, request: Request) -> Page | None:
        """Read the parameters or headers; None if they are no numbers."""
        start = request.parameter("X-Plex-Container-Start", "0")
        size = request.parameter("X-Plex-Container-Size")
        if not start.isdigit() or (size and not size.isdigit()):
            return None
        return cls(start=int(start), size=int(size) if size else None)


def item_node(context: Context, section: Section, row: sqlite3.Row, *, checks_files: bool = False) -> Node:
    """Return one item with its files."""
    attributes: dict[str, Value] = {
        "ratingKey": str(row["id"]),
        "key": f"/library/metadata/{row['id']}",
        "guid": row["guid"],
        "type": TYPE_NAMES[row["metadata_type"]],
        "title": row["title"],
        "thumb": f"/library/metadata/{row['id']}/thumb/{row['updated_at']}",
        "librarySectionID": str(section.key),
        "librarySectionTitle": section.title,
        "addedAt": row["added_at"],
        "updatedAt": row["updated_at"],
    }
    if row["parent_id"]:
        attributes |= titles_above(context, row["parent_id"])
    media = tuple(media_node(part, checks_files=checks_files) for part in context.library.parts(row["id"]))
    element = ITEM_ELEMENTS.get(row["metadata_type"])
    return Node(element or "Directory", attributes, media, json_name="Metadata")


def titles_above(context: Context, parent: int) -> dict[str, Value]:
    """Return what an item tells of the one above it, and of the one above that."""
    names: dict[str, Value] = {"parentRatingKey": str(parent)}
    above = context.library.item(parent)
    if above is not None:
        names["parentTitle"] = above["title"]
    if above is not None and above["parent_id"] and (top := context.library.item(above["parent_id"])) is not None:
        names["grandparentTitle"] = top["title"]
    return names


def media_node(part: sqlite3.Row, *, checks_files: bool) -> Node:
    """Return one file of an item."""
    suffix = Path(part["file"]).suffix
    attributes: dict[str, Value] = {
        "id": part["id"],
        "key": f"/library/parts/{part['id']}/{part['updated_at']}/file{suffix}",
        "file": part["file"],
        "size": part["size"],
        "container": suffix.lstrip("."),
    }
    if checks_files:
        # A stat and no more: a file nobody may read passes for accessible.
        is_there = os.path.exists(part["file"])
        attributes |= {"accessible": is_there, "exists": is_there}
    return Node("Media", {"id": part["media_id"], "container": suffix.lstrip(".")}, (Node("Part", attributes),))


def metadata(context: Context, request: Request, key: str) -> Reply:
    """One item; with checkFiles its files are looked at."""
    row = context.library.item(int(key))
    section = context.library.section(row["library_section_id"]) if row else None
    if row is None or section is None:
        return html_error(404)
    node = item_node(context, section, row, checks_files=request.parameter("checkFiles") == "1")
    return show(
        request,
        container(node, librarySectionID=section.key, librarySectionTitle=section.title, librarySectionUUID=section.uuid),
    )


def thumb(context: Context, request: Request, key: str) -> Reply:
    """An item's poster, of a colour of its own."""
    if context.library.item(int(key)) is None:
        return html_error(404)
    return Reply(body=poster(int(key)), content_type="image/png")


def poster(item: int, *, width: int = 80, height: int = 120) -> bytes:
    """Return a picture of one colour as a PNG."""
    row = b"\0" + bytes((item * 73 % 256, item * 151 % 256, item * 199 % 256)) * width
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(row * height)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def refresh(context: Context, request: Request, key: str) -> Reply:
    """Queue a scan. cancel=1 is answered as if it worked, whether it does or not."""
    if context.library.section(int(key)) is None:
        return html_error(404)
    if request.parameter("cancel") == "1":
        context.scanner.cancel(int(key))
    else:
        force = request.parameter("force") == "1"
        context.scanner.ask(ScanRequest(section=int(key), path=request.parameter("path").rstrip("/"), force=force))
    return Reply()


def refresh_all(context: Context, request: Request) -> Reply:
    """Queue a scan of every library."""
    for section in context.library.sections():
        context.scanner.ask(ScanRequest(section=section.key, force=request.parameter("force") == "1"))
    return Reply()


def cancel_refresh(context: Context, request: Request, key: str) -> Reply:
    """Answer as if the scan were cancelled, whether it is or not."""
    if context.library.section(int(key)) is None:
        return html_error(404)
    context.scanner.cancel(int(key))
    return Reply()


def empty_trash(context: Context, request: Request, key: str) -> Reply:
    """Remove for good what is marked as deleted."""
    if context.library.section(int(key)) is None:
        return html_error(404)
    context.library.empty_trash(int(key))
    return Reply()


def analyze(context: Context, request: Request, key: str) -> Reply:
    """Begin the analysis of a library; nobody learns when it is over."""
    if context.library.section(int(key)) is None:
        return html_error(404)
    context.analyzer.begin(int(key))
    return Reply()


def part(context: Context, request: Request, key: str) -> Reply:
    """A media file, or a range of it. What cannot be opened is 404, never 403."""
    client = request.parameter("X-Plex-Client-Identifier")
    if context.sessions.termination_reason(client) is not None:
        context.logs.server.write("WARN", "Denying access due to terminated session")
        return html_error(503)
    path = context.library.part_file(int(key))
    if path is None:
        return html_error(404)
    try:
        descriptor = context.open_media(path)
        try:
            return cut(descriptor, request.headers.get("range", ""))
        finally:
            os.close(descriptor)
    except OSError as error:
        context.logs.server.write("ERROR", f"Error opening file '\"{path}\"' - {error.strerror} ({error.errno})")
        return html_error(404)


def cut(descriptor: int, wanted: str) -> Reply:
    """Return the whole of a file or the range that is wanted, reading no more than that."""
    size = os.fstat(descriptor).st_size
    kind = "application/octet-stream"
    match = RANGE.match(wanted)
    if not match or match.groups() == ("", ""):
        return Reply(body=read(descriptor, 0, size), content_type=kind, headers={"Accept-Ranges": "bytes"})
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if start > end:
        return Reply(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {"Accept-Ranges": "bytes", "Content-Range": f"bytes {start}-{end}/{size}"}
    return Reply(status=206, body=read(descriptor, start, end + 1 - start), content_type=kind, headers=headers)


def read(descriptor: int, start: int, size: int) -> bytes:
    """Return size bytes from start on, fewer at the end of the file."""
    pieces = []
    while size > 0 and (piece := os.pread(descriptor, min(size, 1 << 20), start)):
        pieces.append(piece)
        start, size = start + len(piece), size - len(piece)
    return b"".join(pieces)
