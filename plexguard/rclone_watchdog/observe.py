"""What is seen of a mount: by the kernel, by rclone, of its storage, and through the mount itself."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Question(Enum):
    """What can be asked of a mount. The values are the names of the fields of an Observation that they are answered in."""

    # rclone's own counters (errors, bytes): of its memory, no request to the storage.
    PROCESS = "process"
    CACHE = "cache"
    CONTROL = "control"
    DATA = "data"
    LISTING = "listing"
    THROUGH = "through"
    DIRECT = "direct"


class Outcome(Enum):
    """What became of a question."""

    GOOD = "good"
    # No answer yet; it is still waited for, or was given up after `latency_s`.
    LATE = "late"
    # 401, 403, 429, a quota: the storage answers, and does not want to.
    REFUSED = "refused"
    # 5xx, connection refused, reset, I/O error, half a body.
    FAILED = "failed"
    # The storage answers that there is no such file.
    MISSING = "missing"
    # The socket of a mount whose program is gone (ENOTCONN); of no other question.
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """asked_s: on the monotonic clock. latency_s: to the answer, or until now while it is late. about: which file or folder.
    detail: in words, for people; never with a secret. is_pending: it may still come."""

    outcome: Outcome
    asked_s: float
    latency_s: float
    about: str = ""
    detail: str = ""
    is_pending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What the kernel tells without asking the mount. is_mounted: something is, at the mount point itself. is_expected: of the
    right type and source. device: its number, "0:40". since_s: since when it is this device. waiting: requests that the FUSE
    program has not answered, None when that cannot be read; waiting_since_s: since when there were always some.
    rclone_pid: 0 when it does not run, or is not ours. rclone_state: of proc_pid_stat(5), "T" when it is stopped, "" without it.
    is_covered: plexguard's own cover lies on top; all the rest is said of what is mounted below it."""

    is_mounted: bool
    is_expected: bool
    type: str = ""
    source: str = ""
    device: str = ""
    since_s: float = 0.0
    waiting: int | None = None
    waiting_since_s: float | None = None
    rclone_pid: int = 0
    rclone_state: str = ""
    is_covered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The top of the mount: how many entries it has, and how many it had when it was last known to be whole (0: never)."""

    entries: int
    baseline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """rclone's cache on disk. free_bytes: of its file system. is_full: rclone says that there is no room, or
    there is next to none."""

    used_bytes: int
    limit_bytes: int
    free_bytes: int
    is_full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The newest answer to each question, None when it was never asked. process: rclone's core/stats. control: is the file there
    (operations/stat). data: some bytes of it, straight from the storage. through: some bytes, through the mount. listing_answer:
    of the question that gave `listing`. direct: asked by an rclone of its own while the mount's does not run or answer.
    errors: how many rclone has counted since it began, None when it does not tell; last_error: the newest in its words.
    transferred_bytes: that rclone has had from the storage since it began, for whomever: while it grows, nothing hangs."""

    now_s: float
    kernel: Kernel
    process: Answer | None = None
    control: Answer | None = None
    data: Answer | None = None
    through: Answer | None = None
    listing_answer: Answer | None = None
    listing: Listing | None = None
    direct: Answer | None = None
    cache: Cache | None = None
    errors: int | None = None
    last_error: str = ""
    transferred_bytes: int | None = None


class Prober(Protocol):
    """Asks, in the background. Nothing here waits."""

    @property
    def data_requests(self) -> int:
        """How many requests to the storage a question for data costs."""
        ...

    def close(self) -> None:
        """Give up all that is under way."""
        ...

    def look(self) -> Observation:
        """Return what the kernel tells now, and the newest answer to each question."""
        ...

    def ask(self, questions: Collection[Question], *, renew: Collection[Question] = ()) -> None:
        """Begin these, but none that is still waited for. renew: of those that are, the ones to give up, since the storage
        answers others by now and may have forgotten them; never what reads through the mount, which cannot be given up."""
        ...
