"""When a mount point is covered, and with what."""

import pytest

from plexguard.rclone_watchdog.asking.kernel import COVER_SOURCE, MountLine
from plexguard.rclone_watchdog.mounting.cover import Step, Wish, decide

MOUNT = MountLine(number=1, device="0:40", path="/mnt/cloud", type="fuse.rclone", source="s3:media")
COVER = MountLine(number=2, device="0:41", path="/mnt/cloud", type="tmpfs", source=COVER_SOURCE)


@pytest.mark.parametrize(
    ("lines", "wish", "is_configured", "step"),
    [
        ((), True, True, Step.COVER),
        ((MOUNT,), True, True, Step.COVER),
        ((MOUNT, COVER), True, True, Step.NOTHING),
        ((MOUNT, COVER), False, True, Step.UNCOVER),
        ((COVER,), False, True, Step.UNCOVER),
        ((MOUNT,), False, True, Step.NOTHING),
        # Something lies over the cover: that is no cover any more, and not ours to take away.
        ((COVER, MOUNT), False, True, Step.NOTHING),
        # A configuration without it takes it away, whatever the watchdog says.
        ((MOUNT, COVER), True, False, Step.UNCOVER),
        ((MOUNT,), True, False, Step.NOTHING),
        # Nobody has said anything.
        ((MOUNT,), None, True, Step.NOTHING),
        ((MOUNT, COVER), None, True, Step.NOTHING),
        ((MOUNT, COVER), None, False, Step.UNCOVER),
    ],
)
def test_what_lies_there_becomes_what_is_wanted(
    lines: tuple[MountLine, ...], wish: bool | None, is_configured: bool, step: Step
) -> None:
    wanted = None if wish is None else Wish(cover=wish)
    assert decide(lines, wanted, is_configured=is_configured) is step
