"""What a delta run costs in which nothing is new: its phases on a machine that is really rented, with a database of 456,534 tracks."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench.libraries import TRACKS, copied, large
from tests.bench.measure import PYTHON, ROOT, Row, at_most, row
from tests.fakes.plex import database
from tests.system.conftest import DEB
from tests.system.full_house import HELD, do_run, full_house

_PAGE_BYTES = 4096
_REFERENCE = "/srv/reference.tar.zst"
# What is scanned: the media of the others are not there, since a simulator that goes through 456,534 files would be measured.
_SECTIONS = ("Films",)
_RUN = f'database = "{_REFERENCE}"\nsections = {json.dumps(_SECTIONS)}\nmin_present = 0\nbring = []\n'
# What is a machine's or a provider's, and not the run's.
_BOOT = "instance"


def measure(folder: Path) -> Iterator[Row]:
    archive, files = _make_reference(folder)
    with full_house(DEB.resolve(), delta=_RUN) as home:
        machine = home.machine
        machine.push(archive, _REFERENCE)
        machine.run(["chmod", "644", _REFERENCE])
        media = folder / "media"
        for file in files:
            path = media / file.removeprefix("/Media/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"film\n" * 20)
        machine.run(["sh", "-c", f"rm -r {HELD}/*"])
        machine.push(media, HELD)
        told = do_run(home, "delta")
        steps = json.loads(machine.read("/var/lib/plexguard/cloud-run/delta/state.json"))["steps"]
    assert "(+0)" in told["PLEXGUARD_LIBRARIES"], told
    seconds = {phase: step["seconds"] for phase, step in steps.items()}
    note = (
        f"all phases but the machine's boot, with {TRACKS:,} tracks in the database and {len(files):,} films scanned: "
        + ", ".join(f"{phase} {spent:.0f}" for phase, spent in seconds.items())
    )
    yield row("cloud.delta-nothing-new", [sum(seconds.values()) - seconds[_BOOT]], None, unit="s", note=note, target=at_most(90))


def _make_reference(folder: Path) -> tuple[Path, list[str]]:
    """Return an archive in which all that is scanned is analysed already, and the files of that."""
    with copied(folder / "analysed", large(page_bytes=_PAGE_BYTES)) as data:
        with closing(database.connect(data.library)) as connection:
            connection.execute("UPDATE metadata_items SET user_thumb_url = 'metadata://posters/a' WHERE metadata_type = 1")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            rows = connection.execute(
                "SELECT file FROM media_parts JOIN media_items ON media_items.id = media_item_id WHERE library_section_id = 1"
            )
            files = [file for (file,) in rows]
        target = folder / "archives"
        argv = [PYTHON, "-m", "plexguard.db_export", "export", f"--data={data.folder}", f"--to={target}"]
        subprocess.run(argv, check=True, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=sys.stderr, timeout=900)
        (archive,) = target.glob("*.tar.zst")
    return archive, files
