"""Where a path leads through links: as the kernel goes, and not one step into what may hang."""

import os
from pathlib import Path

import pytest

from plexguard.core.links import resolve


def is_nothing(_place: str) -> bool:
    return False


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b/c", "a/b/c"),
        ("to-b/c", "a/b/c"),
        ("a/../to-b/../x", "a/x"),
        ("a//./b", "a/b"),
        ("up/c", "a/b/c"),
        ("away/x", "away/x"),
    ],
)
def test_links_are_followed_as_the_kernel_does(tmp_path: Path, path: str, expected: str) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "to-b").symlink_to(tmp_path / "a/b")
    (tmp_path / "up").symlink_to("a/b/../../a/b")
    real = os.path.realpath(tmp_path)

    assert resolve(f"{tmp_path}/{path}", is_apart=is_nothing) == f"{real}/{expected}" == os.path.realpath(f"{tmp_path}/{path}")


def test_links_that_go_round_are_no_endless_way(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")

    with pytest.raises(OSError, match="Too many levels"):
        resolve(str(tmp_path / "one/x"), is_apart=is_nothing)


def test_nothing_is_asked_from_where_it_may_hang_on(tmp_path: Path) -> None:
    # given: links in a mount, which asking it would follow
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount/inner").symlink_to(tmp_path)
    (tmp_path / "films").symlink_to("mount/inner")
    asked = []

    def is_apart(place: str) -> bool:
        asked.append(place)
        return place == str(tmp_path / "mount")

    assert resolve(str(tmp_path / "films/a/../b"), is_apart=is_apart) == str(tmp_path / "mount/inner/b")
    assert asked[-1] == str(tmp_path / "mount")


def test_where_all_may_hang_a_path_is_taken_as_it_is() -> None:
    assert resolve("/mnt//cloud/Films/", is_apart=lambda _place: True) == "/mnt/cloud/Films"


def test_a_link_that_does_not_count_is_left(tmp_path: Path) -> None:
    (tmp_path / "films").symlink_to("/elsewhere")

    assert resolve(str(tmp_path / "films/a"), is_apart=is_nothing, may_follow=lambda _link: False) == str(tmp_path / "films/a")


def test_who_has_other_names_for_places_has_them_for_what_links_say(tmp_path: Path) -> None:
    # given: a container with a folder of the host as /data, and its own /image
    (tmp_path / "films").symlink_to("/data/cloud/Films")
    (tmp_path / "image").symlink_to("/image/films")

    def find(name: str) -> str | None:
        return f"{tmp_path}{name[len('/data') :]}" if name.startswith("/data") else None

    assert resolve("/data/films", is_apart=is_nothing, find=find) == "/data/cloud/Films"
    assert resolve("/data/image/x", is_apart=is_nothing, find=find) == "/image/films/x"
