"""What a mode gives a user, and which bit is in the way, as tables. Whether the kernel agrees is an integration test."""

import os

import pytest

from plexguard.core.events import Mode
from plexguard.perms_audit.access import LIST, READ, Guise, Identity, Ownership, allows, explain, name_group, name_user

PLEX = Identity(99_997, (99_997, 99_944))
OTHER = 99_000


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "allowed"),
    [
        pytest.param(0o400, PLEX.uid, OTHER, True, id="the owner"),
        pytest.param(0o044, PLEX.uid, 99_944, False, id="the owner, though all others may"),
        pytest.param(0o040, OTHER, 99_997, True, id="the first group"),
        pytest.param(0o040, OTHER, 99_944, True, id="a further group"),
        pytest.param(0o404, OTHER, 99_944, False, id="a group, though all others may"),
        pytest.param(0o004, OTHER, OTHER, True, id="others"),
        pytest.param(0o440, OTHER, OTHER, False, id="neither owner nor group"),
    ],
)
def test_the_first_class_that_fits_decides(mode: int, uid: int, gid: int, allowed: bool) -> None:
    assert allows(Ownership(mode, uid, gid), PLEX, READ) is allowed


@pytest.mark.parametrize(("mode", "listed"), [(0o755, True), (0o754, False), (0o751, False), (0o750, False)])
def test_a_folder_must_be_listed_and_searched(mode: int, listed: bool) -> None:
    assert allows(Ownership(mode, OTHER, OTHER), PLEX, LIST) is listed


@pytest.mark.parametrize(("mode", "allowed"), [(0o444, True), (0o440, False), (0o404, False), (0o044, False)])
def test_where_nobody_knows_whom_plex_runs_as_everybody_must_be_able_to(mode: int, allowed: bool) -> None:
    assert allows(Ownership(mode, 0, 0), None, READ) is allowed


def test_root_reads_everything() -> None:
    assert allows(Ownership(0, OTHER, OTHER), Identity(0, (0,)), READ)


@pytest.mark.parametrize(
    ("owned", "need", "words"),
    [
        pytest.param((0o640, OTHER, OTHER), READ, "no r for others (it is 99000:99000, 0640)", id="others"),
        pytest.param((0o604, OTHER, 99_944), READ, "no r for group 99944 (it is 99000:99944, 0604)", id="a group"),
        pytest.param((0o044, PLEX.uid, OTHER), READ, "no r for its owner (it is 99997:99000, 0044)", id="the owner"),
        pytest.param((0o740, OTHER, OTHER), LIST, "no r and x for others (it is 99000:99000, 0740)", id="a closed folder"),
        pytest.param((0o744, OTHER, OTHER), LIST, "no x for others (it is 99000:99000, 0744)", id="a folder that is only listed"),
        pytest.param((0o751, OTHER, OTHER), LIST, "no r for others (it is 99000:99000, 0751)", id="a folder that is only searched"),
        pytest.param((0o750, OTHER, 99_944), os.X_OK, "its mode lets 99997 (uid 99997) in, and the system does not", id="no bit"),
    ],
)
def test_explain_names_the_bit_in_the_way_and_whose_it_is(owned: tuple[int, int, int], need: int, words: str) -> None:
    assert explain(Ownership(*owned), PLEX, need).startswith(words)


def test_explain_blames_the_acl_only_when_the_mode_is_no_reason() -> None:
    assert explain(Ownership(0o644, OTHER, OTHER, acl=True), PLEX, READ) == "its ACL (getfacl) keeps 99997 (uid 99997) out"
    assert explain(Ownership(0o640, OTHER, OTHER, acl=True), PLEX, READ).startswith("no r for others")


def test_explain_takes_modes_of_either_kind() -> None:
    # A new mode that did not help was once a crash instead of a reason.
    assert explain(Ownership(Mode(0o640), 0, 0), PLEX, READ) == "no r for others (it is root:root, 0640)"


def test_users_and_groups_have_their_names_where_they_have_any() -> None:
    assert (name_user(0), name_group(0)) == ("root", "root")
    assert (name_user(99_997), name_group(99_944)) == ("99997", "99944")
    assert str(Identity(0, (0,))) == "root (uid 0)"


def test_the_kernel_is_asked_by_who_is_or_can_become_that_user() -> None:
    assert Guise(Identity(os.geteuid(), (os.getegid(),))).asks_kernel
    assert Guise(PLEX).asks_kernel is (os.geteuid() == 0)
    assert not Guise(None).asks_kernel
