"""Archives for tests: real ones, and ones that somebody made to do harm."""

import io
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

from plexguard.core.clock import SystemClock
from plexguard.db_export.archive.manifest import MANIFEST, Manifest
from plexguard.db_export.archive.packed import frame_manifest
from plexguard.db_export.archive.read import open_archive
from plexguard.db_export.archive.write import Exported, Wanted, export
from plexguard.db_export.check.run import check_copy
from plexguard.db_export.database.files import LIBRARY, PlexData
from tests.fakes.restless import Writer, version_of
from tests.waiting import await_true


def make_archive(data: PlexData, target: Path, wanted: Wanted | None = None) -> Exported:
    return export(data, target, wanted or Wanted(), clock=SystemClock())


def prove_export(data: PlexData, folder: Path, writer: Writer) -> int:
    """Make an archive while somebody writes to the library, restore it, and return the version that it shows: one that there was
    at one moment, and with a database that passes the whole check. Leaves nothing."""
    folder.mkdir()
    before = await_true(lambda: writer.version, what="a first version")
    exported = make_archive(data, folder)
    after = writer.version
    with open_archive(exported.path) as archive:
        archive.verify()
        archive.extract(folder)
    version = version_of(folder / LIBRARY)
    # What was just committed may not have been counted yet.
    assert before <= version <= after + 1
    assert exported.manifest.is_good
    assert exported.manifest.databases[LIBRARY].rows["statistics_resources"] == version
    assert check_copy(folder / LIBRARY).is_sound
    shutil.rmtree(folder)
    return version


def unpack(archive: Path) -> dict[str, bytes]:
    """Return the members of an archive, as tar and zstd see them."""
    done = subprocess.run(["zstd", "-dcq", str(archive)], capture_output=True, check=True, timeout=60)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def forge(
    path: Path,
    members: list[tuple[str | tarfile.TarInfo, bytes]],
    manifest: Manifest,
    *,
    framed: bytes | None = None,
    inside: bytes | None = None,
    tail: bytes = b"",
) -> Path:
    """Write an archive of these members, with a manifest that may lie. framed, inside: other texts for its two copies."""
    text = manifest.to_json().encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, body in [*members, (MANIFEST, text if inside is None else inside)]:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            if info.isreg():
                info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    done = subprocess.run(["zstd", "-q", "-c"], input=buffer.getvalue() + tail, capture_output=True, check=True, timeout=60)
    path.write_bytes(done.stdout + frame_manifest(text if framed is None else framed))
    return path


def manifest_of(archive: Path, **changes: object) -> Manifest:
    with open_archive(archive) as opened:
        assert opened.manifest is not None
        return replace(opened.manifest, **changes)
