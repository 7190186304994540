"""Files of a container are looked for where its mounts lead, and what is found there is told as Plex sees it."""

from pathlib import Path

from plexguard.core.found import Mount
from plexguard.db_export.commands.which import Which


def test_paths_are_the_same_where_plex_sees_the_machine_as_it_is():
    which = Which(library=Path("/l.db"))
    assert which.find_here("/Media/a") == which.find_there("/Media/a") == "/Media/a"


def test_paths_of_a_container_go_both_ways():
    binds = (Mount(source="/srv/media", destination="/data"), Mount(source="/mnt/tv", destination="/data/TV"))
    which = Which(library=Path("/l.db"), binds=binds)
    assert which.find_here("/data/Films/a.mkv") == "/srv/media/Films/a.mkv"
    assert which.find_here("/data/TV/a.mkv") == "/mnt/tv/a.mkv"
    assert which.find_here("/database/a.mkv") is None
    assert which.find_there("/mnt/tv/a.mkv") == "/data/TV/a.mkv"
    assert which.find_there("/srv/media/Films") == "/data/Films"
    assert which.find_there("/home/a.mkv") is None
