"""From measurements to the points of a chart: no more than it can show, and nothing hidden by the thinning. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from statistics import median

from plexguard.core.responses import Response

MOST_POINTS = 300
# The level whose time is shown: the deepest that every check reaches.
_LEVELS = ("database", "identity", "tcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The checks of a while. at: of the first. seconds: the median of those that were answered, None when none was. slowest: of any
    level of theirs. verdict: of the last that was not healthy, "healthy" when all were."""

    at: datetime
    seconds: float | None
    slowest: float | None
    verdict: str


def thin_responses(
    responses: Iterable[Response], since: datetime, until: datetime, *, most: int = MOST_POINTS
) -> tuple[Point, ...]:
    """Return at most so many points: the checks of equally long whiles, without those in which there was none."""
    began_s, length_s = since.timestamp(), (until - since).total_seconds()
    whiles: dict[int, list[Response]] = {}
    for response in responses:
        number = floor((response.at - began_s) / length_s * most)
        if 0 <= number < most:
            whiles.setdefault(number, []).append(response)
    return tuple(_make_point(whiles[number]) for number in sorted(whiles))


def _make_point(checks: Sequence[Response]) -> Point:
    answered = [seconds for check in checks if (seconds := response_s(check)) is not None]
    slowest = [max(check.latencies.values()) for check in checks if response_s(check) is not None]
    troubles = [check.verdict for check in checks if check.verdict != "healthy"]
    return Point(
        at=datetime.fromtimestamp(min(check.at for check in checks), UTC),
        seconds=round(median(answered), 4) if answered else None,
        slowest=max(slowest, default=None),
        verdict=troubles[-1] if troubles else "healthy",
    )


def response_s(check: Response) -> float | None:
    """Return how long Plex took, None when it did not answer as it should."""
    if check.failed:
        return None
    return next((check.latencies[level] for level in _LEVELS if level in check.latencies), None)
