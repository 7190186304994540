"""What a mount can be found to be. Pure."""

from enum import StrEnum


class Verdict(StrEnum):
    """What is the matter with a mount, or that nothing is. The values are the words of events, states and pages."""

    # Bytes were read, of the right file, through what is mounted there.
    PROVEN = "proven"
    # The same, and it took long, or is taking long while the storage answers other questions.
    SLOW = "slow"
    # It lists, from memory or for real, and does not read: a storage that fails or cannot be reached.
    DEGRADED = "degraded"
    # The storage answers, and does not want to: 401, 403, 429, a quota.
    REFUSING = "refusing"
    # Nothing answers: the storage, or rclone itself.
    HUNG = "hung"
    # Its program is gone and the mount is still there (ENOTCONN).
    STALE = "stale"
    # Nothing is mounted there.
    ABSENT = "absent"
    # It is mounted, and its content is gone, or most of it.
    EMPTY = "empty"
    # Something else is mounted there.
    FOREIGN = "foreign"
    # Nothing is known: it has not been looked at, or cannot be.
    UNKNOWN = "unknown"

    @property
    def is_proven(self) -> bool:
        return self in (Verdict.PROVEN, Verdict.SLOW)
