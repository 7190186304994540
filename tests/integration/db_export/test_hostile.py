"""Archives that are cut short, changed or made to do harm: each is told, and nothing of it is left."""

import io
import json
import os
import random
import shutil
import stat
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plexguard.core.errors import PlexguardError
from plexguard.db_export.archive import read
from plexguard.db_export.archive.manifest import PREFERENCES, BadArchive, Member, TreeFacts, member_of
from plexguard.db_export.archive.read import Part, open_archive
from plexguard.db_export.archive.write import Wanted
from plexguard.db_export.database.files import BLOBS, LIBRARY
from tests.fakes.libraries import make_plex
from tests.integration.db_export.archives import forge, make_archive, manifest_of, unpack


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def good(folder):
    data = make_plex(folder / "Plex Media Server", films=3, episodes=3, tracks=3)
    (data.folder / "Metadata/a").mkdir(parents=True)
    (data.folder / "Metadata/a/poster.jpg").write_bytes(b"art")
    return make_archive(data, folder / "archives", Wanted(trees=("Metadata",))).path


@pytest.fixture(scope="module")
def members(good):
    return unpack(good)


@pytest.fixture
def out(tmp_path):
    made = tmp_path / "out"
    made.mkdir()
    return made


def refuse(path: Path, out: Path) -> str:
    """Return why an archive is refused, by reading and by unpacking alike; nothing of it is left."""
    with pytest.raises(BadArchive) as seen, open_archive(path) as archive:
        archive.verify()
    with pytest.raises(BadArchive) as unpacked, open_archive(path) as archive:
        archive.extract(out, Part)
    assert str(seen.value).startswith(f"{path}: ")
    assert [str(left) for left in out.rglob("*") if not left.is_dir()] == []
    return str(unpacked.value).removeprefix(f"{path}: ")


def listed(members: dict[str, bytes], *, without: str = "") -> list[tuple[str | tarfile.TarInfo, bytes]]:
    return [(name, body) for name, body in members.items() if name != "plexguard-manifest.json" and name != without]


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_forged_archive_that_tells_the_truth_is_good(good, members, tmp_path, out):
    path = forge(tmp_path / "x", listed(members), manifest_of(good))
    with open_archive(path) as archive:
        archive.verify()
        made = archive.extract(out, Part)
    assert {path.name for path in made} == {LIBRARY, BLOBS, PREFERENCES, "Metadata"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in out.rglob("*") if path.is_file())


FILES = tuple(f"Metadata/a/{name}" for name in ("1.jpg", "2.jpg", "new\nline 3.jpg"))
LIST = "plexguard-hashes/Metadata-000001"


@pytest.fixture(scope="module")
def with_files(folder):
    """An archive with some files in a tree, and a tree without any."""
    data = make_plex(folder / "many" / "Plex Media Server", films=3, episodes=3, tracks=3)
    for name in FILES:
        (data.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (data.folder / name).write_bytes(name.encode() * 10)
    return make_archive(data, folder / "many-archives", Wanted(trees=("Metadata", "Media"))).path


def test_file_that_differs_is_named(with_files, tmp_path, out):
    members = unpack(with_files)
    assert list(members).index(LIST) == list(members).index(FILES[2]) + 1
    changed = members | {FILES[1]: members[FILES[1]].replace(b"2", b"5"), FILES[2]: members[FILES[2]].replace(b"3", b"6")}
    reason = refuse(forge(tmp_path / "x", listed(changed), manifest_of(with_files)), out)
    assert reason == ("Metadata is not what was written: 2 of its files differ: Metadata/a/2.jpg, Metadata/a/new\\nline 3.jpg")


def test_of_many_files_that_differ_ten_are_named(tmp_path, out):
    many = tmp_path / "many"
    data = make_plex(many / "Plex Media Server", films=1, episodes=1, tracks=1)
    (data.folder / "Media").mkdir()
    for number in range(2_345):
        (data.folder / f"Media/{number:04d}").write_bytes(b"a")
    archive = make_archive(data, many / "archives", Wanted(trees=("Media",))).path
    members = unpack(archive)
    assert [name for name in members if name.startswith("plexguard-hashes/")] == [
        f"plexguard-hashes/Media-00000{number}" for number in (1, 2, 3)
    ]
    changed = {name: b"b" if name.startswith("Media/") and name[-1] == "7" else body for name, body in members.items()}
    reason = refuse(forge(tmp_path / "x", listed(changed), manifest_of(archive)), out)
    assert "234 of its files differ: Media/0007, Media/0017," in reason and reason.endswith("Media/0097 and 224 more")


def test_flipped_bit_in_a_picture_is_told_with_its_name(tmp_path, out):
    data = make_plex(tmp_path / "Plex Media Server", films=1, episodes=1, tracks=1)
    noise = random.Random(1).randbytes(1_000_000)
    for tree in ("Metadata", "Media"):
        (data.folder / tree).mkdir(exist_ok=True)
        (data.folder / tree / "poster.jpg").write_bytes(noise)
    archive = make_archive(data, tmp_path / "archives", Wanted(trees=("Metadata", "Media"))).path
    packed = bytearray(archive.read_bytes())
    # What cannot be packed is in an archive as it is. What comes last of all zstd does not hand out when its checksum is wrong.
    packed[packed.index(noise[500_000:500_100])] ^= 1
    (tmp_path / "x").write_bytes(packed)
    reason = refuse(tmp_path / "x", out)
    assert reason.startswith("it cannot be unpacked: ") and reason.endswith("1 of its files differ: Metadata/poster.jpg")


@pytest.mark.parametrize(
    "case",
    ["other hash", "other file", "empty", "too long", "none", "twice", "before", "renumbered", "of another", "in the manifest"],
)
def test_list_of_hashes_that_lies(with_files, tmp_path, out, case):
    members, manifest = unpack(with_files), manifest_of(with_files)
    body = members.pop(LIST)
    at = list(members).index(FILES[2]) + 1
    lists = {
        "other hash": [(LIST, body.replace(body[:4], b"0000"))],
        "other file": [(LIST, body.replace(b"1.jpg", b"7.jpg"))],
        "empty": [(LIST, b"")],
        "too long": [(LIST, body + b"0" * 64 + b" 1 Metadata/a/other\n")],
        "none": [],
        "twice": [(LIST, body), (LIST.replace("1", "2"), body)],
        "before": [],
        "renumbered": [(LIST.replace("1", "2"), body)],
        "of another": [(LIST.replace("Metadata", "Media"), body)],
        "in the manifest": [(LIST, body)],
    }[case]
    forged = listed(members)
    forged[at:at] = lists
    if case == "before":
        forged.insert(at - 3, (LIST, body))
    if case == "in the manifest":
        facts = manifest.trees["Metadata"]
        manifest = replace(manifest, trees={"Metadata": replace(facts, list_bytes=facts.list_bytes + 1)})
    refuse(forge(tmp_path / "x", forged, manifest), out)


def test_files_without_end_and_without_a_list_are_not_remembered(with_files, tmp_path, out):
    files = [(f"Metadata/{number}", b"") for number in range(1_001)]
    facts = TreeFacts(files=10**9, size=0, sha256="0" * 64, list_bytes=1)
    path = forge(tmp_path / "x", [*files, *listed(unpack(with_files))], manifest_of(with_files, trees={"Metadata": facts}))
    assert refuse(path, out) == f"{LIST} is not in it"


def test_archive_of_the_first_format_is_good(with_files, tmp_path, out):
    members, manifest = unpack(with_files), manifest_of(with_files, format=1)
    manifest = replace(manifest, trees={name: replace(facts, list_bytes=0) for name, facts in manifest.trees.items()})
    text = json.loads(manifest.to_json())
    for facts in text["trees"].values():
        del facts["list_bytes"]
    first = json.dumps(text).encode()
    path = forge(tmp_path / "x", listed(members, without=LIST), manifest, framed=first, inside=first)
    with open_archive(path) as archive:
        archive.verify()
        archive.extract(out, Part)
    assert (out / FILES[1]).read_bytes() == members[FILES[1]]
    changed = members | {FILES[1]: members[FILES[1]].replace(b"2", b"5")}
    shutil.rmtree(out)
    out.mkdir()
    bad = forge(tmp_path / "y", listed(changed, without=LIST), manifest, framed=first, inside=first)
    assert refuse(bad, out) == "Metadata is not what was written: its files differ"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_archive_that_is_cut_short(good, tmp_path, out, share):
    path = tmp_path / "x"
    path.write_bytes(good.read_bytes()[: int(good.stat().st_size * share)])
    refuse(path, out)


def test_archive_of_which_the_middle_is_gone(good, tmp_path, out):
    text = good.read_bytes()
    (tmp_path / "x").write_bytes(text[: len(text) // 3] + text[2 * len(text) // 3 :])
    assert "cannot be unpacked" in refuse(tmp_path / "x", out)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bit(good, members, tmp_path, place, bit):
    text = bytearray(good.read_bytes())
    text[int(place * len(text))] ^= 1 << bit
    (tmp_path / "x").write_bytes(text)
    try:
        with open_archive(tmp_path / "x") as archive:
            archive.verify()
    except BadArchive:
        return
    # One bit in a thousand is none that zstd looks at (RFC 8878 has reserved ones, and padding): then nothing has changed.
    assert unpack(tmp_path / "x") == members


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "Metadata/../../evil",
        "Metadata//evil",
        "Metadata/./evil",
        "Metadata/",
        "evil",
        "Metadata",
        "Media/x",
        ".",
    ],
)
def test_name_that_leads_elsewhere(good, members, tmp_path, out, name):
    path = forge(tmp_path / "x", [(name, b"evil"), *listed(members)], manifest_of(good))
    refuse(path, out)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"S", b"V", b"?"],
)
@pytest.mark.parametrize("name", ["Metadata/a/poster.jpg", member_of(LIBRARY)])
def test_member_that_is_no_file(good, members, tmp_path, out, kind, name):
    path = forge(tmp_path / "x", [(special(name, kind, "/etc/passwd"), b""), *listed(members, without=name)], manifest_of(good))
    refuse(path, out)


def test_link_that_a_later_member_would_go_through(good, members, tmp_path, out):
    link = special("Metadata/a", tarfile.SYMTYPE, str(tmp_path))
    refuse(forge(tmp_path / "x", [(link, b""), *listed(members)], manifest_of(good)), out)
    assert not (tmp_path / "poster.jpg").exists()


@pytest.mark.parametrize("name", [member_of(LIBRARY), PREFERENCES, "Metadata/a/poster.jpg"])
def test_member_that_comes_twice(good, members, tmp_path, out, name):
    refuse(forge(tmp_path / "x", [*listed(members), (name, members[name])], manifest_of(good)), out)


@pytest.mark.parametrize("name", [member_of(LIBRARY), member_of(BLOBS), PREFERENCES, "Metadata/a/poster.jpg"])
def test_member_that_is_missing_or_other(good, members, tmp_path, out, name):
    refuse(forge(tmp_path / "x", listed(members, without=name), manifest_of(good)), out)
    other = [(n, b"\0" * len(b) if n == name else b) for n, b in listed(members)]
    refuse(forge(tmp_path / "y", other, manifest_of(good)), out)
    longer = [(n, b + b"x" if n == name else b) for n, b in listed(members)]
    refuse(forge(tmp_path / "z", longer, manifest_of(good)), out)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"format": 2}',
        b'{"format": 1e999}',
        b"1" * 5000,
        b'{"made": "yesterday"}',
    ],
    ids=range(10),
)
def test_manifest_that_is_none(good, members, tmp_path, out, text):
    refuse(forge(tmp_path / "x", listed(members), manifest_of(good), framed=text), out)
    refuse(forge(tmp_path / "y", listed(members), manifest_of(good), inside=text), out)


def lie(manifest, case):
    first, *others = manifest.members
    match case:
        case "other hash":
            return replace(manifest, members=(replace(first, sha256="0" * 64), *others))
        case "no hash":
            return replace(manifest, members=(replace(first, sha256="abc"), *others))
        case "negative":
            return replace(manifest, members=(replace(first, size=-1), *others))
        case "larger":
            return replace(manifest, members=(replace(first, size=first.size + 512), *others))
        case "too large to be":
            return replace(manifest, members=(replace(first, size=2**62), *others))
        case "strange member":
            return replace(manifest, members=(*manifest.members, Member(name="../x", size=1, sha256="0" * 64)))
        case "member twice":
            return replace(manifest, members=(*manifest.members, first))
        case "other rows":
            facts = manifest.databases[LIBRARY]
            rows = {**facts.rows, "metadata_items": facts.rows["metadata_items"] + 1}
            return replace(manifest, databases={**manifest.databases, LIBRARY: replace(facts, rows=rows)})
        case "no library":
            return replace(manifest, members=tuple(others), databases={BLOBS: manifest.databases[BLOBS]})
        case "strange database":
            return replace(manifest, databases={**manifest.databases, "../x": manifest.databases[BLOBS]})
        case "strange tree":
            return replace(manifest, trees={"..": TreeFacts(files=1, size=1, sha256="0" * 64)})
        case "other tree":
            return replace(manifest, trees={"Metadata": replace(manifest.trees["Metadata"], sha256="0" * 64)})
    raise AssertionError(case)


@pytest.mark.parametrize(
    "case",
    [
        *("other hash", "no hash", "negative", "larger", "too large to be", "strange member", "member twice", "no library"),
        *("strange database", "strange tree", "other tree"),
    ],
)
def test_manifest_that_lies(good, members, tmp_path, out, case):
    refuse(forge(tmp_path / "x", listed(members), lie(manifest_of(good), case)), out)


def test_manifest_with_other_rows(good, members, tmp_path):
    path = forge(tmp_path / "x", listed(members), lie(manifest_of(good), "other rows"))
    with pytest.raises(BadArchive, match="metadata_items has 13 rows, and 14 by its manifest"), open_archive(path) as archive:
        archive.verify()


def test_bytes_after_the_end(good, members, tmp_path, out):
    refuse(forge(tmp_path / "x", listed(members), manifest_of(good), tail=b"more" * 1000), out)
    assert "more in it" in refuse(forge(tmp_path / "y", listed(members), manifest_of(good), tail=bytes(50_000_000)), out)


def test_bomb_is_not_unpacked(good, members, tmp_path, out, monkeypatch):
    monkeypatch.setattr(read, "_ALWAYS_BYTES", 1_000_000)
    size = 60_000_000
    bomb = forge(tmp_path / "x", [("Metadata/a/poster.jpg", bytes(size)), *listed(members)], manifest_of(good))
    assert "than its manifest says" in refuse(bomb, out)
    # One whose manifest agrees.
    manifest = manifest_of(good, trees={"Metadata": TreeFacts(files=1, size=size * 100, sha256="0" * 64)})
    assert "more is in it than can be" in refuse(forge(tmp_path / "y", listed(members), manifest), out)


def old_archive(path: Path, entries: list[tuple[str | tarfile.TarInfo, bytes]], *, kind: int = tarfile.PAX_FORMAT) -> Path:
    with tarfile.open(path, "w:gz", format=kind) as tar:
        for name, body in entries:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.mtime = 1.5
            info.size = len(body) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(body))
    return path


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT], ids=["pax", "gnu", "ustar"])
@pytest.mark.parametrize(
    "above", ["", "./", "Plex Media Server/Plug-in Support/Databases/", "Library/Application Support/Plex Media Server/"]
)
def test_archive_of_the_time_before(members, tmp_path, out, kind, above):
    entries = [
        (special("Plex Media Server", tarfile.DIRTYPE), b""),
        (above + LIBRARY, members[member_of(LIBRARY)]),
        (above + LIBRARY + "-wal", b"wal"),
        (above + "Logs/Plex Media Server.log", b"log"),
        (above + PREFERENCES, b"<Preferences/>"),
    ]
    with open_archive(old_archive(tmp_path / "x.tar.gz", entries, kind=kind)) as archive:
        assert archive.manifest is None
        archive.verify()
        made = archive.extract(out, (Part.DATABASES,))
    assert [path.name for path in made] == [LIBRARY, f"{LIBRARY}-wal"]
    assert (out / LIBRARY).read_bytes() == members[member_of(LIBRARY)]


@pytest.mark.parametrize(
    "entry",
    [(special(LIBRARY, tarfile.SYMTYPE, "/etc/passwd"), b""), ("other/" + LIBRARY, b"twice"), ("nothing", b"")],
    ids=["link", "twice", "none"],
)
def test_archive_of_the_time_before_that_is_none(members, tmp_path, out, entry):
    entries = [entry] if entry[0] != "other/" + LIBRARY else [(LIBRARY, members[member_of(LIBRARY)]), entry]
    refuse(old_archive(tmp_path / "x.tar.gz", entries), out)


def test_archive_of_the_time_before_that_is_cut_short(members, tmp_path, out):
    path = old_archive(tmp_path / "x.tar.gz", [(LIBRARY, members[member_of(LIBRARY)])])
    path.write_bytes(path.read_bytes()[:-200])
    assert "cannot be unpacked" in refuse(path, out)


def test_bomb_of_the_time_before(members, tmp_path, out, monkeypatch):
    monkeypatch.setattr(read, "_ALWAYS_BYTES", 1_000_000)
    monkeypatch.setattr(read, "_MOST_RATIO", 10)
    assert "more in it" in refuse(old_archive(tmp_path / "x.tar.gz", [(LIBRARY, bytes(20_000_000))]), out)


def test_stock_tools_unpack_an_archive(good, tmp_path):
    subprocess.run(
        ["tar", "--zstd", "-xf", str(good), "-C", str(tmp_path)], check=True, timeout=30, env={**os.environ, "LC_ALL": "C"}
    )
    assert (tmp_path / "Metadata/a/poster.jpg").read_bytes() == b"art"


@pytest.mark.parametrize("text", [b"", b"x" * 100, bytes(5000)])
def test_what_is_no_archive_at_all(tmp_path, out, text):
    (tmp_path / "x").write_bytes(text)
    refuse(tmp_path / "x", out)


def test_archive_that_is_not_there_is_no_bad_one(tmp_path):
    with pytest.raises(PlexguardError, match="no such file"), open_archive(tmp_path / "x"):
        pass
