"""The suite as one file that Debian's Python runs: how the same code works on a machine where nothing of it is installed."""

import io
import sys
import zipfile
from pathlib import Path
from typing import NoReturn

import plexguard

_MAIN = """\
import os
import sys

try:
    import click
    import systemd.journal
except ImportError as error:
    print(f"plexguard: {error}; apt install python3-click python3-systemd", file=sys.stderr)
    sys.exit(os.EX_UNAVAILABLE)

from plexguard.core.zipped import main

main()
"""
# Anything older than this, and zip refuses it; the same code makes the same bytes.
_MADE = (1980, 1, 1, 0, 0, 0)


def zip_suite() -> bytes:
    """Return the package that is running as a zipapp: "plexguard.pyz PROGRAM [ARGUMENT]...". See zipapp in Python's library."""
    package = Path(plexguard.__file__).parent
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        _add(archive, "__main__.py", _MAIN.encode("ascii"))
        for file in sorted(package.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                _add(archive, str(file.relative_to(package.parent)), file.read_bytes())
    return content.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    # Said for each: what has a ZipInfo of its own is stored as it is otherwise, three times as large.
    archive.writestr(zipfile.ZipInfo(name, _MADE), content, compress_type=zipfile.ZIP_DEFLATED)


def main() -> NoReturn:
    """Run the program that the first argument names."""
    from importlib import import_module

    from plexguard.core import program
    from plexguard.core.suite import PROGRAMS

    (chosen,) = (known for known in PROGRAMS if known.name == sys.argv[1])
    sys.exit(program.run(chosen.name, import_module(f"{chosen.package}.__main__").cli, sys.argv[2:]))
