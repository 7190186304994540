"""Trees of empty files for measuring walks: 500,000 files in 57,000 folders, as a large library has them."""

import os
from pathlib import Path


def make_tree(root: Path, *, shows: int = 1000, seasons: int = 8, extras: int = 48, files_per_folder: int = 9) -> int:
    """Make shows/seasons/extras folders with files; return how many files were made.

    With the defaults: 1,000 shows of (1 + 8 + 48) folders = 57,000 folders, and 500,000 files spread over them.
    """
    made, wanted = 0, 500_000 * shows // 1000
    for show in range(shows):
        show_folder = root / f"Show {show:04d}"
        os.makedirs(show_folder)
        for season in range(seasons):
            season_folder = f"{show_folder}/Season {season:02d}"
            os.mkdir(season_folder)
            made += _fill(season_folder, min(files_per_folder, wanted - made))
            for extra in range(extras // seasons):
                extra_folder = f"{season_folder}/Extra {extra}"
                os.mkdir(extra_folder)
                made += _fill(extra_folder, min(files_per_folder, wanted - made))
    while made < wanted:
        made += _fill(str(root / f"Show {made % shows:04d}"), min(files_per_folder, wanted - made), start=made)
    return made


def _fill(folder: str, count: int, *, start: int = 0) -> int:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(start, start + count):
            os.close(os.open(f"Episode {number:05d}.mkv", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd))
    finally:
        os.close(fd)
    return max(count, 0)
