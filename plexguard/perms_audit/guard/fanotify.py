"""fanotify(7), as far as the guard needs it: what happens on whole file systems, each event with its folder and its name.

Debian packages no Python binding of it (looked for in 12 and 13), so libc is called. Nothing here holds a file of a watched
file system open: a mark does not keep it from being unmounted, and goes with it.
"""

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from plexguard.core.errors import SystemRefused

# Source of the numbers: linux/fanotify.h.
_CLOEXEC = 0x1
_NONBLOCK = 0x2
_CLASS_NOTIF = 0x0
_REPORT_DFID_NAME = 0xC00
_MARK_ADD = 0x1
_MARK_FILESYSTEM = 0x100
_METADATA_VERSION = 3
_INFO_DFID_NAME = 2
_METADATA = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BBH")
# A file system's id, and the head of a file_handle: how many bytes follow, and of which type.
_HANDLE = struct.Struct("=QIi")
# As many events as fill this are taken in one go: some hundred, one long name (NAME_MAX) among them.
_READ_BYTES = 32 * 1024
_LIBC = ctypes.CDLL(None, use_errno=True)


# What happened, bit by bit: mode or owner changed, a file that was open for writing was closed, an entry was moved in or
# made; ONDIR: the entry is a folder. Numbers and no IntFlag, whose every & costs more than all else done with an event.
ATTRIB = 0x4
CLOSE_WRITE = 0x8
MOVED_TO = 0x80
CREATE = 0x100
OVERFLOW = 0x4000
ONDIR = 0x40000000


class FanotifyError(SystemRefused):
    """The kernel refused to watch. code: of errno(3)."""

    def __init__(self, message: str, code: int, *, hint: str = "") -> None:
        super().__init__(f"{message}: {os.strerror(code)}", hint=hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Handle:
    """A folder as its file system knows it, whatever it is called and wherever it is mounted (open_by_handle_at(2)).

    fsid: of statvfs(3).
    """

    fsid: int
    type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an entry of a folder; name "." is the folder itself.

    mask: several bits where the kernel has joined events. pid: of the process that did it, as seen from here; 0 if it
    can't be seen. folder: None for an overflow, which belongs to no folder. name: as the os module gives it.
    """

    mask: int
    pid: int
    folder: Handle | None = None
    name: str = "."


class Group:
    """A queue of events from the file systems that are marked. Bounded by fs.fanotify.max_queued_events: what does not fit
    is told as one event with OVERFLOW."""

    def __init__(self) -> None:
        """Raises FanotifyError."""
        flags = _CLASS_NOTIF | _REPORT_DFID_NAME | _CLOEXEC | _NONBLOCK
        self.fd = _LIBC.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(os.O_RDONLY | os.O_CLOEXEC))
        if self.fd < 0:
            raise FanotifyError(
                "Failed to begin watching (fanotify_init)", ctypes.get_errno(), hint="this needs CAP_SYS_ADMIN and Linux 5.9"
            )

    def mark(self, folder_fd: int, mask: int) -> None:
        """Watch the whole file system that a folder is on. Again for one that is watched already does no harm.

        Raises FanotifyError: EOPNOTSUPP on overlayfs, ENODEV on FUSE, EXDEV in a subvolume of btrfs before Linux 6.8.
        """
        flags = ctypes.c_uint(_MARK_ADD | _MARK_FILESYSTEM)
        if _LIBC.fanotify_mark(self.fd, flags, ctypes.c_uint64(mask), ctypes.c_int(folder_fd), b".") < 0:
            raise FanotifyError("Failed to watch a file system (fanotify_mark)", ctypes.get_errno())

    def read(self) -> tuple[Event, ...]:
        """Return some of the events that are waiting, none if none are."""
        try:
            return parse_events(os.read(self.fd, _READ_BYTES))
        except BlockingIOError:
            return ()

    def close(self) -> None:
        os.close(self.fd)


def parse_events(data: bytes) -> tuple[Event, ...]:
    """Return the events in what was read. Raises FanotifyError for another version of the interface."""
    events = []
    place = 0
    while place + _METADATA.size <= len(data):
        length, version, _, head, mask, _, pid = _METADATA.unpack_from(data, place)
        if version != _METADATA_VERSION:
            raise FanotifyError("Failed to read events (fanotify)", errno.EPROTO, hint="this kernel speaks another version of it")
        folder, name = _parse_info(data[place + head : place + length])
        if folder is not None or mask & OVERFLOW:
            events.append(Event(mask, pid, folder, name))
        place += length
    return tuple(events)


def _parse_info(data: bytes) -> tuple[Handle | None, str]:
    """Return folder and name from the records that follow an event."""
    place = 0
    while place + _INFO.size <= len(data):
        kind, _, length = _INFO.unpack_from(data, place)
        if kind == _INFO_DFID_NAME:
            fsid, size, handle_type = _HANDLE.unpack_from(data, place + _INFO.size)
            begin = place + _INFO.size + _HANDLE.size
            name = data[begin + size : place + length].partition(b"\0")[0]
            return Handle(fsid, handle_type, data[begin : begin + size]), os.fsdecode(name)
        place += max(length, _INFO.size)
    return None, "."


def fsid_of(fd: int) -> int:
    """Return the id of the file system that a descriptor is on, as events carry it."""
    return os.fstatvfs(fd).f_fsid


def open_handle(mount_fd: int, handle: Handle) -> int:
    """Open a folder by its handle, with O_PATH. mount_fd: of any file on its file system.

    Raises OSError: ESTALE when there is no such folder any more. Needs CAP_DAC_READ_SEARCH.
    """
    buffer = ctypes.create_string_buffer(struct.pack("=Ii", len(handle.data), handle.type) + handle.data)
    fd = _LIBC.open_by_handle_at(ctypes.c_int(mount_fd), buffer, ctypes.c_int(os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    if fd < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(fd)
