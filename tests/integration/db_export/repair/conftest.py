import shutil
from pathlib import Path

import pytest

from plexguard.db_export.database.files import PlexData
from tests.fakes.libraries import make_plex
from tests.integration.db_export.repair.damaged import Rows, age, read_rows


@pytest.fixture(scope="session")
def libraries(tmp_path_factory) -> dict[int, PlexData]:
    """A library of each page size, with deleted rows in its free pages. Not to be written to."""
    made = {}
    for size in (1024, 4096):
        films = 40 if size == 1024 else 120
        data = make_plex(
            tmp_path_factory.mktemp("library") / "Plex Media Server", films=films, episodes=40, tracks=40, page_bytes=size
        )
        age(data)
        made[size] = data
    return made


@pytest.fixture(scope="session")
def true_rows(libraries) -> dict[int, Rows]:
    return {size: read_rows(data.library) for size, data in libraries.items()}


@pytest.fixture
def copy_of(libraries, folder):
    def copy(size: int = 1024, to: Path | None = None) -> PlexData:
        return PlexData(folder=Path(shutil.copytree(libraries[size].folder, to or folder / "Plex Media Server")))

    return copy
