"""What the name of a file says: which words, which season, which episode. Pure."""

import re
import unicodedata
from dataclasses import dataclass

_ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50}
# What a season is called, in the languages of those who asked for it.
_SEASON = r"season|saison|staffel|series|livre|book|volume|temporada|stagione"
_LONG_SEASON = rf"(?<![a-z])(?:{_SEASON})[ ._-]*(?P<season>\d{{1,3}}|[ivxl]+)(?![a-z0-9])"
_EPISODE = r"episode|episodio|épisode|folge|ep|part"
_IN_NAME = (
    re.compile(r"(?<![a-z0-9])s(?P<season>\d{1,3})[ ._-]*e(?P<episode>\d{1,4})(?!\d)"),
    re.compile(r"(?<![a-z0-9])(?P<season>\d{1,2})x(?P<episode>\d{1,3})(?!\d)"),
    re.compile(rf"{_LONG_SEASON}[ ._,-]*(?:{_EPISODE}|e)?[ ._-]*(?P<episode>\d{{1,3}})(?!\d)"),
    re.compile(rf"(?<![a-z])(?:{_EPISODE}|e)[ ._-]*(?P<episode>\d{{1,3}})(?!\d)"),
    re.compile(r"^(?P<episode>\d{1,3})(?=[ ._-])"),
)
_IN_FOLDER = (
    re.compile(_LONG_SEASON),
    re.compile(r"(?<![a-z0-9])s[ ._-]?(?P<season>\d{1,3})(?!\d)"),
)
_EXTRAS = frozenset({"specials", "special", "extras", "bonus"})
_NOISE = frozenset(
    ("the", "and", "les", "des", "der", "die", "das", "und", "1080p", "720p", "2160p", "x264", "x265", "hevc", "web", "bluray")
)
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """season, episode: None where the name says nothing. show: words of the folder below the library's, or of what stands before
    the episode; title: the other words of the name."""

    season: int | None
    episode: int | None
    show: frozenset[str]
    title: frozenset[str]


def fold(text: str) -> str:
    """Return a name without what file systems and people write differently: upper case, and the two forms of an accent."""
    return unicodedata.normalize("NFC", text).casefold()


def find_words(text: str) -> frozenset[str]:
    """Return the words of a name, without accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return frozenset(word for word in _WORD.findall(plain) if word not in _NOISE)


def read_clue(below: str) -> Clue:
    """Return what a path says. below: the path below the folder of its library."""
    *folders, name = below.split("/")
    stem = fold(name.rpartition(".")[0] or name)
    season, episode, before = _read_name(stem)
    for folder in reversed(folders):
        season = read_season(folder) if season is None else season
    show = find_words(folders[0]) if folders else find_words(before)
    return Clue(season=season, episode=episode, show=show, title=find_words(stem) - show)


def read_season(folder: str) -> int | None:
    """Return the season that a folder holds, 0 for what is beside the seasons."""
    text = fold(folder)
    for pattern in _IN_FOLDER:
        if (found := pattern.search(text)) is not None:
            return _read_number(found["season"])
    return 0 if text in _EXTRAS else None


def _read_name(stem: str) -> tuple[int | None, int | None, str]:
    for pattern in _IN_NAME:
        if (found := pattern.search(stem)) is not None:
            groups = found.groupdict()
            season = _read_number(groups["season"]) if groups.get("season") else None
            return season, int(groups["episode"]), stem[: found.start()]
    return None, None, stem


def _read_number(text: str) -> int:
    if text.isdigit():
        return int(text)
    values = [_ROMAN[c] for c in text]
    return sum(-v if v < max(values[n:]) else v for n, v in enumerate(values))
