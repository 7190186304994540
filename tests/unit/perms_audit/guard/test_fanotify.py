"""What the kernel writes, parsed: bytes as fanotify(7) lays them out."""

import struct

import pytest

from plexguard.perms_audit.guard.fanotify import ATTRIB, CREATE, ONDIR, OVERFLOW, Event, FanotifyError, Handle, parse_events

FSID = 0x1122334455667788


def make_info(name: bytes, *, kind: int = 2, handle: bytes = b"\x01\x02\x03\x04\x05\x06\x07\x08") -> bytes:
    body = struct.pack("=QIi", FSID, len(handle), 1) + handle + name + b"\0"
    body += b"\0" * (-len(body) % 4)
    return struct.pack("=BBH", kind, 0, 4 + len(body)) + body


def make_event(mask: int, *infos: bytes, pid: int = 77, version: int = 3) -> bytes:
    info = b"".join(infos)
    return struct.pack("=IBBHQii", 24 + len(info), version, 0, 24, mask, -1, pid) + info


FOLDER = Handle(FSID, 1, b"\x01\x02\x03\x04\x05\x06\x07\x08")


def test_events_of_one_read_are_told_in_order_with_folder_and_name() -> None:
    data = make_event(CREATE, make_info(b"film.mkv")) + make_event(ATTRIB | ONDIR, make_info(b"."), pid=0)

    assert parse_events(data) == (Event(CREATE, 77, FOLDER, "film.mkv"), Event(ATTRIB | ONDIR, 0, FOLDER, "."))


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        pytest.param(b"two\nlines", "two\nlines", id="a line end"),
        pytest.param(b"\xff\xfe", "\udcff\udcfe", id="no UTF-8"),
        pytest.param(b"n" * 255, "n" * 255, id="as long as names get"),
        pytest.param("Träume 日本".encode(), "Träume 日本", id="UTF-8"),
    ],
)
def test_name_is_as_the_os_module_gives_it(raw: bytes, name: str) -> None:
    (event,) = parse_events(make_event(CREATE, make_info(raw)))

    assert event.name == name


def test_overflow_belongs_to_no_folder() -> None:
    assert parse_events(make_event(OVERFLOW, pid=0)) == (Event(OVERFLOW, 0),)


def test_event_of_a_file_that_has_no_name_any_more_is_left_out() -> None:
    """As for a change of the number of its links: there is a record of another kind, and none of a folder."""
    assert parse_events(make_event(ATTRIB, make_info(b"", kind=1))) == ()


def test_records_of_other_kinds_are_passed_over() -> None:
    (event,) = parse_events(make_event(ATTRIB, make_info(b"", kind=1), make_info(b"a")))

    assert event.name == "a"


def test_another_version_of_the_interface_is_refused() -> None:
    with pytest.raises(FanotifyError):
        parse_events(make_event(CREATE, make_info(b"a"), version=4))


@pytest.mark.parametrize("cut", [0, 10, 23], ids=["nothing", "half a head", "nearly a head"])
def test_cut_head_is_no_event(cut: int) -> None:
    assert parse_events(make_event(CREATE, make_info(b"a"))[:cut]) == ()
