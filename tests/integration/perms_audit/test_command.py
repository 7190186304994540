"""The command as an administrator, a timer or a health check runs it: exit codes, words, and what stays on disk."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core import program
from plexguard.core.manager import Unit
from plexguard.core.unreadable import Record, Unreadable, open_record
from plexguard.perms_audit.__main__ import cli
from plexguard.perms_audit.commands import audit
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.runs import list_runs
from plexguard.perms_audit.unhealthy import PLEX_RESTART
from tests.fakes.ports import FakeJournal, FakeManager, fake_ports
from tests.integration.perms_audit.support import (
    READER,
    Ended,
    ShiftedClock,
    become_nobody,
    command,
    leave_mounts,
    make_file,
    make_folder,
    mode_of,
    mount_fuse,
    needs_mounts,
    run_child,
    set_acl,
    slow_disk,
    snapshot,
)

OK, FOUND, USAGE, NO_INPUT, UNAVAILABLE, NO_PERMISSION, CONFIG = 0, 1, 64, 66, 69, 77, 78


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


def test_a_file_can_be_given_and_is_audited_alone(root: Path, tmp_path: Path) -> None:
    make_file(root / "Show/more.mkv", 0o000)
    make_folder(root / "Show", 0o700)

    done = command(tmp_path, "--format", "json", str(root / "Show/bad.mkv"))

    assert [change["path"] for change in done.report["changes"]] == [f"{root}/Show/bad.mkv"]
    assert (mode_of(root / "Show"), mode_of(root / "Show/more.mkv")) == (0o700, 0o000)


@pytest.mark.parametrize("file", ["/etc/passwd", "/root/.bashrc"])
def test_a_file_of_the_system_is_no_media(tmp_path: Path, file: str) -> None:
    assert command(tmp_path, file).code == NO_INPUT


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["{root}/pipe"], NO_INPUT, "not a folder", id="a root given as a pipe"),
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
    os.mkfifo(root / "pipe")
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
@pytest.mark.parametrize(("content", "code"), [(b"film", OK), (b"", FOUND)], ids=["alive", "not proven alive"])
def test_a_link_to_a_fuse_mount_is_known_for_what_it_is(tmp_path: Path, content: bytes, code: int) -> None:
    # given: a FUSE mount that lists its file well, behind a link
    (tmp_path / "media").symlink_to("disk")
    with slow_disk(tmp_path, {"film.mkv": content}, kind="fuse.rclone") as disk:
        done = command(tmp_path, str(tmp_path / "media"))

        assert done.code == code
        assert ("not proven alive" in done.err) is (code == FOUND)
        assert mode_of(disk.target / "film.mkv") == (0o644 if code == OK else 0o600)


# -- for whom ---------------------------------------------------------------------------------------------------------

AS_READER = ("--as-uid", str(READER.uid), "--as-gid", str(READER.gids[0]))


def test_what_that_user_can_read_is_well_whatever_its_mode(public: Path, tmp_path: Path) -> None:
    make_file(public / "film.mkv", 0o640)
    os.chown(public / "film.mkv", 0, READER.gids[0])

    assert command(tmp_path, "--check", *AS_READER, str(public)).code == OK
    assert command(tmp_path, "--check", str(public)).code == FOUND


def test_a_user_who_does_not_exist_is_an_error(public: Path, tmp_path: Path) -> None:
    make_file(public / "film.mkv", 0o000)

    done = command(tmp_path, "--as-user", "no-such-user", str(public))

    assert done.code == CONFIG
    assert "no-such-user" in done.err
    assert mode_of(public / "film.mkv") == 0o000


def test_a_folder_above_the_root_in_that_users_way_is_told_and_ends_with_1(public: Path, tmp_path: Path) -> None:
    make_file(public / "a/root/film.mkv")
    make_folder(public / "a/root")
    make_folder(public / "a", 0o700)

    done = command(tmp_path, *AS_READER, str(public / "a/root"))

    assert done.code == FOUND
    assert f"{public}/a keeps Plex out of {public}/a/root: no x for others" in done.err
    assert mode_of(public / "a") == 0o700
    assert command(tmp_path, "--check", *AS_READER, str(public / "a/root")).out == f"{public}/a\n"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda film: None, "54322 (uid 54322) can read it"),
        (lambda film: film.chmod(0o640), "{film}: no r for others (it is root:root, 0640)"),
        (lambda film: film.parent.chmod(0o744), "{folder}: no x for others (it is root:root, 0744)"),
        (lambda film: film.parent.parent.chmod(0o700), "{above}: no x for others (it is root:root, 0700)"),
        (lambda film: set_acl(film, users={READER.uid: 0}), "{film}: its ACL (getfacl) keeps 54322 (uid 54322) out"),
    ],
    ids=["nothing", "the file", "its folder", "a folder above", "an ACL"],
)
def test_explain_says_what_is_in_the_way(public: Path, tmp_path: Path, spoil: Callable[[Path], object], words: str) -> None:
    film = public / "a/Show/film.mkv"
    make_file(film)
    for folder in (film.parent, film.parent.parent):
        folder.chmod(0o755)
    spoil(film)
    before = snapshot(public)

    done = command(tmp_path, "explain", *AS_READER, str(film))

    assert words.format(film=film, folder=film.parent, above=film.parent.parent) in done.out
    assert done.code == (OK if "can read it" in words else FOUND)
    assert snapshot(public) == before


@pytest.mark.parametrize(
    ("path", "code"), [("film.mkv", USAGE), ("{root}/missing.mkv", NO_INPUT), ("{root}/missing/film.mkv", NO_INPUT)]
)
def test_explain_of_nothing_is_an_error(root: Path, tmp_path: Path, path: str, code: int) -> None:
    done = command(tmp_path, "explain", path.format(root=root))

    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err


# -- units ------------------------------------------------------------------------------------------------------------


class UnitRun:
    """The program as a unit runs it, again and again: what it tells goes to a journal, and its state stays."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.clock = ShiftedClock()
        self.manager = FakeManager()

    def __call__(self, *roots: Path, recent: bool = True, config: Config | None = None, check: bool = False) -> FakeJournal:
        journal = FakeJournal()
        ports = fake_ports(journal=journal, clock=self.clock, manager=self.manager)
        config = config or Config(roots=tuple(map(str, roots)), as_uid=READER.uid, as_gid=READER.gids[0])
        self.code = audit.run((), config, ports, check=check, recent=recent, within_roots=False, output="text")
        return journal


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UnitRun:
    make_folder(tmp_path / "state")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    return UnitRun(tmp_path / "state")


@pytest.fixture
def media(public: Path) -> Path:
    make_file(public / "film.mkv", 0o600)
    (public / "film.mkv").write_bytes(b"film")
    return public


def test_what_stays_is_told_once_between_two_full_audits(media: Path, unit: UnitRun) -> None:
    make_file(media / "tool", 0o4700)
    os.mkfifo(media / "pipe")
    causes = ["perms.not-repaired", "perms.no-media"]

    assert [name for name in unit(media).names if name in causes] == causes
    assert [name for name in unit(media).names if name in causes] == []
    assert [name for name in unit(media, recent=False).names if name in causes] == causes
    assert [name for name in unit(media).names if name in causes] == []


def test_a_cause_that_grows_or_comes_back_is_told_again(media: Path, unit: UnitRun) -> None:
    make_file(media / "tool", 0o4700)
    unit(media)
    make_file(media / "tool2", 0o4700)
    assert unit(media).values("perms.not-repaired")["count"] == 2

    (media / "tool").unlink()
    (media / "tool2").unlink()
    assert "perms.not-repaired" not in unit(media).names
    make_file(media / "tool", 0o4700)
    assert "perms.not-repaired" in unit(media).names


def test_a_root_that_is_away_is_told_once_between_two_full_audits(media: Path, unit: UnitRun) -> None:
    assert "perms.root-fault" in unit(media, media / "missing").names
    assert "perms.root-fault" not in unit(media, media / "missing").names
    assert unit.code == NO_INPUT
    assert "perms.root-fault" in unit(media, media / "missing", recent=False).names


@pytest.mark.parametrize("recent", [True, False], ids=["recent", "full"])
def test_a_root_that_is_back_is_told_once(media: Path, unit: UnitRun, recent: bool) -> None:
    unit(media, media / "late")
    make_file(media / "late/film.mkv", 0o644)

    journal = unit(media, media / "late", recent=recent)

    assert journal.values("perms.root-well") == {"root": str(media / "late")}
    assert "perms.root-well" not in unit(media, media / "late", recent=recent).names


def test_that_nothing_is_left_is_told_by_a_full_audit(media: Path, unit: UnitRun) -> None:
    make_file(media / "tool", 0o4700)
    unit(media, recent=False)
    (media / "tool").unlink()

    assert "perms.settled" not in unit(media).names
    journal = unit(media, recent=False)

    assert journal.values("perms.settled")["root"] == str(media)
    assert "perms.settled" not in unit(media, recent=False).names


def test_an_audit_by_hand_tells_the_end_of_nothing(media: Path, unit: UnitRun) -> None:
    unit(media, media / "late")
    make_file(media / "late/film.mkv", 0o644)

    assert "perms.root-well" not in unit(media, media / "late", config=Config(roots=(str(media),), dry_run=True)).names
    assert "perms.root-well" in unit(media, media / "late").names


def test_a_unit_leaves_what_does_not_hold_and_tries_again_later(media: Path, unit: UnitRun) -> None:
    unit(media)
    (media / "film.mkv").chmod(0o600)

    assert "perms.not-repaired" in unit(media, recent=False).names
    assert (mode_of(media / "film.mkv"), unit.code) == (0o600, FOUND)

    unit.clock.shift = timedelta(minutes=61)
    assert "perms.repaired" in unit(media, recent=False).names
    assert (mode_of(media / "film.mkv"), unit.code) == (0o644, OK)


def test_old_undo_lists_are_cleared_away(media: Path, unit: UnitRun, tmp_path: Path) -> None:
    unit(media)
    (old,) = list_runs(tmp_path / "state/runs")
    unit.clock.shift = timedelta(days=91)
    (media / "film.mkv").chmod(0o600)

    unit(media, recent=False)

    (new,) = list_runs(tmp_path / "state/runs")
    assert new != old


# -- what Plex complained about ---------------------------------------------------------------------------------------


def complain(folder: Path, path: Path, clock: ShiftedClock) -> None:
    """Put a path on the record, as a request does that came out badly."""
    record = open_record(FakeJournal(), folder / "state/unreadable.json")
    record.save(Record(paths={str(path): Unreadable(since=clock.moment(), reason="no r for others")}))


def flagged(folder: Path) -> list[str]:
    record = open_record(FakeJournal(), folder / "state/unreadable.json").load()
    return list(record.paths) if record is not None else []


def test_check_prints_what_plex_complained_about_though_the_walk_finds_nothing(
    media: Path, unit: UnitRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_file(media / "old.mkv", 0o000)
    complain(tmp_path, media / "old.mkv", unit.clock)
    (media / "film.mkv").chmod(0o644)
    unit.clock = ShiftedClock(timedelta(days=2))

    unit(media, check=True, recent=True)
    said = capsys.readouterr().out
    (media / "old.mkv").chmod(0o644)
    unit(media, check=True, recent=True)

    assert (said, capsys.readouterr().out, unit.code) == (f"{media}/old.mkv\n", "", OK)
    assert flagged(tmp_path) == [f"{media}/old.mkv"]


def test_check_does_not_print_what_lies_below_another_root(media: Path, unit: UnitRun, tmp_path: Path) -> None:
    (media / "film.mkv").chmod(0o644)
    complain(tmp_path, Path("/srv/elsewhere/film.mkv"), unit.clock)

    unit(media, check=True)

    assert unit.code == OK


def test_an_audit_tries_again_what_plex_complained_about_and_clears_what_is_cured(
    media: Path, unit: UnitRun, tmp_path: Path
) -> None:
    complain(tmp_path, media / "film.mkv", unit.clock)
    unit.clock.shift = timedelta(minutes=5)

    told = unit(media)

    assert told.values("perms.healthy")["state"] == "readable again"
    assert 299 < float(str(told.values("perms.healthy")["downtime_s"])) < 360
    assert flagged(tmp_path) == []


def test_what_cannot_be_cured_stays_flagged_and_a_restart_is_asked_for_only_where_that_is_wanted(
    media: Path, unit: UnitRun, tmp_path: Path
) -> None:
    set_acl(media / "film.mkv", users={READER.uid: 0})
    complain(tmp_path, media / "film.mkv", unit.clock)
    unit.clock.shift = timedelta(minutes=31)
    wanted = Config(roots=(str(media),), as_uid=READER.uid, as_gid=READER.gids[0], restart_plex=True)

    unit(media)
    assert unit.manager.asked == []
    assert flagged(tmp_path) == [f"{media}/film.mkv"]

    unit(media, config=wanted)
    unit(media, config=wanted)
    assert unit.manager.asked == [("start", PLEX_RESTART)]

    unit.manager.units[PLEX_RESTART] = Unit(name=PLEX_RESTART, exit_code=75)
    unit(media, config=wanted)
    assert unit.manager.asked == [("start", PLEX_RESTART)] * 2
