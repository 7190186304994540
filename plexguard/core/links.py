"""Where a path leads through symbolic links, as far as it may be looked at: who touches what hangs, hangs with it."""

import errno
import os
from collections.abc import Callable

Find = Callable[[str], str | None]
# As many as the kernel follows.
_MOST_LINKS = 40


def resolve(
    path: str,
    *,
    is_apart: Callable[[str], bool],
    may_follow: Callable[[str], bool] = lambda _link: True,
    find: Find = str,
) -> str:
    """Return a path with its links resolved; what is not there is taken as it is.

    is_apart: whether what lies at a place, and below it, may not be looked at, so that the rest of the path is taken as it is.
    may_follow: whether a link counts; one that does not is left as it is, with the rest. find: the place of a name on this machine,
    None where it has none, for who has other names for them. Raises OSError for links without end.
    """
    done, rest, links = "/", path.split("/"), 0
    while rest:
        name = os.path.normpath(os.path.join(done, rest.pop(0)))
        place = find(name)
        if place is not None and is_apart(place):
            return os.path.normpath(os.path.join(name, *rest))
        try:
            target = os.readlink(place) if place is not None else ""
        except OSError:
            target = ""
        if not target:
            done = name
            continue
        if not may_follow(name):
            return os.path.normpath(os.path.join(name, *rest))
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        done = "/" if target.startswith("/") else done
        rest = [*target.split("/"), *rest]
    return done
