"""The command as an administrator, a timer or a health check runs it: exit codes, words, and what stays on disk."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexguard.core import program
from plexguard.perms_audit.__main__ import cli
from tests.fakes import lying_fuse
from tests.integration.perms_audit.support import (
    Ended,
    become_nobody,
    command,
    leave_mounts,
    make_file,
    make_folder,
    mode_of,
    mount_fuse,
    needs_mounts,
    run_child,
    snapshot,
)

OK, FOUND, USAGE, NO_INPUT, UNAVAILABLE, NO_PERMISSION, CONFIG = 0, 1, 64, 66, 69, 77, 78


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that an ordinary user can come to."""
    folder = Path(tempfile.mkdtemp(prefix="plexguard-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_file(tmp_path / "root/Show/good.mkv")
    make_file(tmp_path / "root/Show/bad.mkv", 0o000)
    (tmp_path / "root").chmod(0o755)
    return tmp_path / "root"


def test_an_audit_that_repaired_everything_is_done(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, str(root))

    assert (done.code, done.out) == (OK, "")
    assert f"{root}/Show/bad.mkv: mode 0000 is now 0644" in done.err
    assert "Examined 2 files and 2 folders" in done.err
    assert mode_of(root / "Show/bad.mkv") == 0o644


def test_a_dry_run_that_finds_something_ends_with_1_and_changes_nothing(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)

    done = command(tmp_path, "--dry-run", str(root))

    assert done.code == FOUND
    assert snapshot(root) == before


def test_what_stays_unreadable_ends_with_1(root: Path, tmp_path: Path) -> None:
    make_file(root / "tool", 0o4700)

    assert command(tmp_path, str(root)).code == FOUND


def test_without_any_root_it_says_what_to_configure(tmp_path: Path) -> None:
    done = command(tmp_path)

    assert done.code == UNAVAILABLE
    assert "plexguard.toml" in done.err


def test_several_roots_with_one_bad_repair_the_good_and_end_with_66(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, str(tmp_path / "missing"), str(root))

    assert done.code == NO_INPUT
    assert f"{tmp_path}/missing: there is no such folder" in done.err
    assert mode_of(root / "Show/bad.mkv") == 0o644


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["{root}/Show/good.mkv"], NO_INPUT, "not a folder", id="a root given as a file"),
        pytest.param(["{root}/missing"], NO_INPUT, "no such folder", id="a root that is not there"),
        pytest.param(["{empty}"], NO_INPUT, "no file at all", id="an empty root"),
        pytest.param(["root"], USAGE, "absolute path", id="a relative path"),
        pytest.param(["{root}", "../root"], USAGE, "absolute path", id="a relative path beside a good one"),
        pytest.param(["{root}/../root"], USAGE, "absolute path", id="a path with .."),
        pytest.param(["/etc"], NO_INPUT, "a folder of the system", id="a folder of the system"),
        pytest.param(["{link}"], NO_INPUT, "a folder of the system", id="a link to a folder of the system"),
        pytest.param(["--file-mode", "999", "{root}"], USAGE, "999", id="a mode of no octal digits"),
        pytest.param(["--file-mode", "4755", "{root}"], USAGE, "4755", id="a set-id mode"),
        pytest.param(["--file-mode", "", "{root}"], USAGE, "mode", id="an empty mode"),
        pytest.param(["--file-mode", "000", "{root}"], USAGE, "at least 0", id="a mode that locks out"),
        pytest.param(["--dir-mode", "644", "{root}"], USAGE, "at least 0", id="a folder mode without search"),
        pytest.param(["--changed-within", "soon", "{root}"], USAGE, "soon", id="a span that is none"),
        pytest.param(["--changed-within", "-4h", "{root}"], USAGE, "-4h", id="a negative span"),
        pytest.param(["--colour", "{root}"], USAGE, "--colour", id="an unknown option"),
        pytest.param(["--format", "xml", "{root}"], USAGE, "xml", id="an unknown format"),
    ],
)
def test_bad_input_ends_with_its_code_and_a_clear_word_and_changes_nothing(
    root: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    empty = make_folder(tmp_path / "empty")
    (tmp_path / "link").symlink_to("/etc")
    before = snapshot(tmp_path / "root")

    done = command(tmp_path, *(argument.format(root=root, empty=empty, link=tmp_path / "link") for argument in arguments))

    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err
    assert snapshot(tmp_path / "root") == before


@pytest.mark.parametrize("check", [[], ["--check"], ["--dry-run"]], ids=["audit", "check", "dry run"])
def test_an_empty_root_is_an_error_in_every_way_of_running(tmp_path: Path, check: list[str]) -> None:
    assert command(tmp_path, *check, str(make_folder(tmp_path / "empty"))).code == NO_INPUT


def test_a_configuration_with_three_mistakes_reports_three(tmp_path: Path, root: Path) -> None:
    done = command(tmp_path, str(root), config='[perms-audit]\nfile_mode = "999"\nroots = ["media"]\ncolour = "red"\n')

    assert done.code == CONFIG
    lines = [line for line in done.err.splitlines() if "[perms-audit]" in line]
    assert len(lines) == 3
    assert mode_of(root / "Show/bad.mkv") == 0o000


def test_a_root_that_this_user_may_not_read_ends_with_77(public: Path) -> None:
    closed = make_folder(public / "closed", 0o700)
    make_file(closed / "film.mkv", 0o000)
    (public / "plexguard.toml").write_text("")

    def attempt() -> int:
        become_nobody()
        # In this very process: the tests may lie where nobody else may read them.
        return program.run("perms-audit", cli, ["--config", str(public / "plexguard.toml"), str(closed)])

    assert run_child(attempt) == NO_PERMISSION
    assert mode_of(closed / "film.mkv") == 0o000


# -- the health check -------------------------------------------------------------------------------------------------


def test_check_prints_the_first_unreadable_path_changes_nothing_and_ends_with_1(root: Path, tmp_path: Path) -> None:
    before = snapshot(root)

    done = command(tmp_path, "--check", str(root))

    assert (done.code, done.out) == (FOUND, f"{root}/Show/bad.mkv\n")
    assert snapshot(root) == before
    assert not (tmp_path / "state/state.json").exists()


def test_check_of_a_healthy_tree_is_silent_and_ends_with_0(root: Path, tmp_path: Path) -> None:
    (root / "Show/bad.mkv").chmod(0o644)

    done = command(tmp_path, "--check", str(root))

    assert (done.code, done.out, done.err) == (OK, "", "")


def test_check_prints_odd_names_on_one_line(root: Path, tmp_path: Path) -> None:
    (root / "Show/bad.mkv").unlink()
    make_file(os.fsencode(root) + b"/a\nb\xff", 0o000)

    assert command(tmp_path, "--check", str(root)).out == f"{root}/a\\nb\\xff\n"


def test_check_of_a_missing_root_is_no_health(tmp_path: Path) -> None:
    assert command(tmp_path, "--check", str(tmp_path / "missing")).code == NO_INPUT


# -- where roots and limits come from ---------------------------------------------------------------------------------


def test_roots_come_from_the_environment_and_win_over_the_file(root: Path, tmp_path: Path) -> None:
    more = make_folder(tmp_path / "more")
    make_file(more / "bad.mkv", 0o000)
    make_file(tmp_path / "configured/bad.mkv", 0o000)
    config = f'[perms-audit]\nroots = ["{tmp_path}/configured"]\n'

    assert command(tmp_path, config=config, MEDIA_ROOTS=f"{root}:{more}").code == OK

    assert mode_of(root / "Show/bad.mkv") == 0o644
    assert mode_of(more / "bad.mkv") == 0o644
    assert mode_of(tmp_path / "configured/bad.mkv") == 0o000


def test_roots_come_from_the_configuration(root: Path, tmp_path: Path) -> None:
    assert command(tmp_path, config=f'[perms-audit]\nroots = ["{root}"]\n').code == OK

    assert mode_of(root / "Show/bad.mkv") == 0o644


@pytest.mark.parametrize("value", ["1", "true", "yes"])
def test_dry_run_comes_from_the_environment(root: Path, tmp_path: Path, value: str) -> None:
    assert command(tmp_path, str(root), DRY_RUN=value).code == FOUND

    assert mode_of(root / "Show/bad.mkv") == 0o000


def test_hours_come_from_the_environment_and_limit_the_run(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, "--format", "json", str(root), MTIME_HOURS="4")

    assert done.code == OK
    assert done.report["repaired"] == 1


def test_a_bad_value_in_the_environment_is_named(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, str(root), MTIME_HOURS="soon", DRY_RUN="perhaps")

    assert done.code == CONFIG
    assert "MTIME_HOURS" in done.err
    assert "DRY_RUN" in done.err


def test_media_roots_of_an_unknown_container_are_refused(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, MEDIA_ROOTS="/data/tv", PLEX_CONTAINER="plexguard-no-such-container")

    assert done.code == USAGE
    assert "plexguard-no-such-container" in done.err


def test_modes_of_the_command_line_win_over_the_file(root: Path, tmp_path: Path) -> None:
    command(tmp_path, "--file-mode", "0664", str(root), config='[perms-audit]\nfile_mode = "0604"\n')

    assert mode_of(root / "Show/bad.mkv") == 0o664


# -- what it leaves ---------------------------------------------------------------------------------------------------


def test_the_report_for_programs_is_json_on_stdout(root: Path, tmp_path: Path) -> None:
    done = command(tmp_path, "--format", "json", str(root))

    assert done.report["changes"] == [{"path": f"{root}/Show/bad.mkv", "old_mode": "0000", "new_mode": "0644"}]
    assert done.report["root_faults"] == []


def test_the_mount_of_a_root_that_was_well_is_remembered(root: Path, tmp_path: Path) -> None:
    command(tmp_path, str(root), str(tmp_path / "missing"))

    state = json.loads((tmp_path / "state/state.json").read_text())
    assert list(state["mounts"]) == [str(root)]


def test_a_root_that_lost_its_mount_is_not_audited(root: Path, tmp_path: Path) -> None:
    # given: the last audit met the root on a mount of its own
    make_folder(tmp_path / "state")
    (tmp_path / "state/state.json").write_text(json.dumps({"schema": 1, "mounts": {str(root): str(root)}}))

    done = command(tmp_path, str(root))

    assert done.code == NO_INPUT
    assert "not mounted" in done.err
    assert mode_of(root / "Show/bad.mkv") == 0o000


def test_a_link_is_audited_as_what_it_leads_to(root: Path, tmp_path: Path) -> None:
    (tmp_path / "media").symlink_to("root")

    done = command(tmp_path, "--format", "json", str(tmp_path / "media"), str(root))

    assert done.report["changes"] == [{"path": f"{root}/Show/bad.mkv", "old_mode": "0000", "new_mode": "0644"}]
    assert done.report["files"] == 2


@pytest.mark.parametrize(
    "text", ["", "{", '{"schema": 99}', '{"schema": 1, "mounts": 5}'], ids=["empty", "cut", "future", "foreign"]
)
def test_state_that_cannot_be_used_is_set_aside_and_the_audit_goes_on(root: Path, tmp_path: Path, text: str) -> None:
    make_folder(tmp_path / "state")
    (tmp_path / "state/state.json").write_text(text)

    done = command(tmp_path, str(root))

    assert done.code == OK
    assert "state.json.bad" in done.err
    assert mode_of(root / "Show/bad.mkv") == 0o644


# -- hung and remote file systems -------------------------------------------------------------------------------------


@needs_mounts
@pytest.mark.parametrize("way", [[], ["--check"]], ids=["audit", "check"])
def test_the_command_ends_beside_a_file_system_that_hangs(root: Path, tmp_path: Path, way: list[str]) -> None:
    dead = make_folder(tmp_path / "dead")
    (root / "Show/bad.mkv").chmod(0o644 if way else 0o000)

    def attempt() -> Ended:
        leave_mounts()
        mount_fuse(dead)
        return command(tmp_path, *way, str(dead), str(root), config='[perms-audit]\nstall_timeout = "5s"\n')

    done = run_child(attempt)

    assert done.code == NO_INPUT
    assert f"{dead}: no answer, its file system hangs" in done.err
    assert mode_of(root / "Show/bad.mkv") == 0o644


@needs_mounts
def test_a_link_to_a_fuse_mount_is_known_for_what_it_is(tmp_path: Path) -> None:
    # given: a FUSE mount that lists its file well, behind a link
    disk = make_folder(tmp_path / "disk")
    (tmp_path / "media").symlink_to("disk")

    def attempt() -> Ended:
        leave_mounts()
        fd = mount_fuse(disk, "fuse.rclone")
        if os.fork() == 0:
            lying_fuse.serve(fd)
            os._exit(0)
        return command(tmp_path, str(tmp_path / "media"))

    done = run_child(attempt)

    assert done.code == FOUND
    assert "lies on fuse.rclone" in done.err
