import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plexguard.db_export.archive.manifest import BadArchive, CutShort
from plexguard.db_export.archive.tape import END, Tape, is_safe, make_header, padding


def read(text: bytes, limit_bytes: int = 10_000_000) -> list[tuple[str, bytes]]:
    return [(entry.name, b"".join(map(bytes, body))) for entry, body in Tape(io.BytesIO(text), limit_bytes=limit_bytes).entries()]


def write(files: list[tuple[str, bytes]]) -> bytes:
    return b"".join(make_header(name, len(body)) + body + padding(len(body)) for name, body in files) + END


NAMES = st.text(st.characters(blacklist_characters="\0/", blacklist_categories=("Cs",)), min_size=1, max_size=60)
PATHS = st.lists(NAMES, min_size=1, max_size=6).map("/".join).filter(is_safe)
FILES = st.lists(st.tuples(PATHS, st.binary(max_size=1200)), max_size=4)


@settings(max_examples=40)
@given(FILES)
def test_what_is_written_is_read(files):
    assert read(write(files)) == files


@settings(max_examples=40)
@given(FILES)
def test_tar_of_python_reads_it_too(files):
    with tarfile.open(fileobj=io.BytesIO(write(files))) as tar:
        assert [(member.name, tar.extractfile(member).read()) for member in tar] == files


@settings(max_examples=40)
@given(FILES, st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_tar_of_python_is_read(files, kind):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as tar:
        for name, body in files:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(body), 1.25
            tar.addfile(info, io.BytesIO(body))
    assert read(buffer.getvalue()) == files


@settings(max_examples=100)
@given(FILES.filter(bool), st.data())
def test_damage_is_a_bad_archive_or_nothing_else(files, data):
    text = bytearray(write(files))
    for _ in range(data.draw(st.integers(1, 8))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(text))
    except BadArchive:
        return
    assert sum(len(body) for _, body in found) <= len(text)


@settings(max_examples=40)
@given(FILES.filter(bool), st.data())
def test_what_is_cut_short_is_told(files, data):
    text = write(files)
    # Of the two empty blocks at the end one is enough.
    with pytest.raises(CutShort):
        read(text[: data.draw(st.integers(0, len(text) - len(END) + 511))])


def test_more_than_the_limit_is_not_read():
    with pytest.raises(BadArchive, match="more in it"):
        read(write([("x", bytes(10_000))]), limit_bytes=9_000)


@pytest.mark.parametrize(
    "name", ["", "/", "/x", "x/", "a//b", "..", "../x", "a/../x", "a/..", ".", "./x", "a/./b", "x\0", "a" * 5000, "a/" * 3000 + "a"]
)
def test_names_that_lead_elsewhere(name):
    assert not is_safe(name)


@pytest.mark.parametrize("name", ["x", "a/b c/é", "...", "..x/x..", "\udcff", "-rf", "~"])
def test_names_that_do_not(name):
    assert is_safe(name)
