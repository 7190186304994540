"""What is wanted of a path, and what is left out."""

import dataclasses

import pytest

from plexguard.core.events import Mode
from plexguard.perms_audit.access import Identity
from plexguard.perms_audit.config import EXCLUDES, OVERRIDES, Config, Override
from plexguard.perms_audit.policy import Excludes, Policy, Want
from plexguard.perms_audit.roots import Root

ROOT = "/srv/media"


# -- wants ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("want", "mode", "fits"),
    [
        (Want(), 0o000, True),
        (Want(exact=True), 0o644, True),
        (Want(exact=True), 0o664, False),
        (Want(exact=True), 0o600, False),
        (Want(exact=True), 0o4644, False),
        (Want(uid=1), 0o644, True),
        (Want(uid=2), 0o644, False),
        (Want(gid=3), 0o644, False),
        (Want(exact=True, uid=1, gid=1), 0o644, True),
    ],
    ids=["any mode", "the mode", "too open", "too closed", "set-id", "its owner", "another owner", "another group", "all"],
)
def test_a_file_fits_what_is_wanted_of_it(want: Want, mode: int, fits: bool) -> None:
    assert want.fits(mode, 1, 1, is_folder=False) is fits


@pytest.mark.parametrize("mode", [0o755, 0o2755, 0o1755, 0o3755])
def test_a_folder_may_have_its_set_id_and_sticky_bits_in_spite_of_exact(mode: int) -> None:
    assert Want(exact=True).fits(mode, 0, 0, is_folder=True)


def test_a_folder_must_have_the_setgid_bit_that_is_configured() -> None:
    want = Want(exact=True, dir_mode=Mode(0o2775))

    assert want.new_mode(0o775, is_folder=True) == 0o2775
    assert not want.fits(0o775, 0, 0, is_folder=True)


def test_policies_are_the_same_whatever_is_mounted_just_now() -> None:
    policy = Policy(roots=(Root(path="/a"), Root(path="/b")), identity=Identity(1, (1,)))

    assert policy.is_same(
        dataclasses.replace(
            policy, roots=(Root(path="/b"), Root(path="/a", apart=frozenset({"c"})), Root(path="/a/c", remote="nfs"))
        )
    )
    assert not policy.is_same(dataclasses.replace(policy, roots=(Root(path="/a"),)))
    assert not policy.is_same(dataclasses.replace(policy, roots=(Root(path="/a"), Root(path="/b", configured=False))))
    assert not policy.is_same(dataclasses.replace(policy, identity=Identity(2, (1,))))
    assert not policy.is_same(dataclasses.replace(policy, want=Want(exact=True)))
    assert not policy.is_same(dataclasses.replace(policy, excludes=("a",)))


# -- overrides --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        (f"{ROOT}/a.mkv", 0o644),
        (f"{ROOT}/Films", 0o640),
        (f"{ROOT}/Films/a.mkv", 0o640),
        (f"{ROOT}/Films/Kids/a.mkv", 0o604),
        (f"{ROOT}/Films of 1990/a.mkv", 0o644),
        (f"{ROOT}/Films/Kids2", 0o640),
        ("/srv/med", 0o644),
    ],
    ids=["none", "the folder itself", "in it", "innermost", "a longer name", "a longer inner name", "above"],
)
@pytest.mark.parametrize("order", [1, -1], ids=["outer first", "inner first"])
def test_the_innermost_override_by_whole_names_holds(path: str, mode: int, order: int) -> None:
    overrides = ((f"{ROOT}/Films", Want(file_mode=Mode(0o640))), (f"{ROOT}/Films/Kids", Want(file_mode=Mode(0o604))))

    assert Policy(roots=(), overrides=overrides[::order]).want_of(path).file_mode == mode


def test_overrides_are_written_as_tables() -> None:
    (override,) = OVERRIDES.parse([{"path": "/srv/a/", "policy": "exact", "file_mode": "0640", "group": "media"}])

    assert override == Override(path="/srv/a", policy="exact", file_mode=Mode(0o640), group="media")


@pytest.mark.parametrize(
    "value",
    [5, "x", ["/srv/a"], [{}], [{"path": "srv"}], [{"path": "/a", "colour": "red"}], [{"path": "/a", "file_mode": "999"}]],
    ids=["number", "text", "no table", "no path", "relative", "unknown key", "no mode"],
)
def test_what_is_no_override_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=""):
        OVERRIDES.parse(value)


# -- excludes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("excludes", "path", "left_out"),
    [
        (("*.part",), f"{ROOT}/a/film.part", True),
        (("*.part",), f"{ROOT}/a/film.part.mkv", False),
        (("incoming",), f"{ROOT}/incoming/a/film.mkv", True),
        (("incoming",), f"{ROOT}/incoming2/film.mkv", False),
        ((f"{ROOT}/a",), f"{ROOT}/a/b/film.mkv", True),
        ((f"{ROOT}/a",), f"{ROOT}/ab/film.mkv", False),
        ((f"{ROOT}/a/film.mkv",), f"{ROOT}/a/film.mkv", True),
        ((f"{ROOT}/a/film.mkv",), f"{ROOT}/b/film.mkv", False),
        (("a\nb*",), f"{ROOT}/a\nbc", True),
        (("*",), f"{ROOT}/a\nb", True),
        (("*",), ROOT, False),
        (("media",), ROOT, False),
        ((), f"{ROOT}/film.mkv", False),
        (("$RECYCLE.BIN",), f"{ROOT}/$RECYCLE.BIN/film", True),
        (("$RECYCLE.BIN",), f"{ROOT}/$RECYCLEXBIN/film", False),
    ],
)
def test_names_and_paths_are_left_out_with_all_that_is_below_them(excludes: tuple[str, ...], path: str, left_out: bool) -> None:
    assert Excludes(excludes).excludes_below(path, ROOT) is left_out


def test_a_root_folder_of_the_system_is_walked_by_name_too() -> None:
    assert Excludes(("a",)).excludes_below("/a/b", "/")
    assert not Excludes(("a",)).excludes_below("/b", "/")


@pytest.mark.parametrize("name", ["lost+found", ".Trash-1000", "$RECYCLE.BIN", "#recycle"])
def test_what_every_disk_has_and_is_no_media_is_left_out_by_default(name: str) -> None:
    assert Excludes(Config().excludes).excludes(name, f"{ROOT}/{name}")


def test_an_exclude_is_a_name_or_an_absolute_path() -> None:
    assert EXCLUDES.parse(["*.part", "/srv/media/incoming/"]) == ("*.part", "/srv/media/incoming")
    for wrong in (["media/incoming"], [""], "x", [5]):
        with pytest.raises(ValueError, match=""):
            EXCLUDES.parse(wrong)
