"""The edge: what a program's end looks like to the service manager and to the reader of the journal."""

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from plexguard.core import errors, program
from plexguard.core.plex_config import PlexConfig


@pytest.fixture(autouse=True)
def _outside_of_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


def command_that(act: Callable[[], int | None]) -> click.Command:
    @click.command(context_settings=program.CONTEXT)
    @program.format_option
    @program.config_option
    @program.version_option("sample")
    def sample(**_: object) -> int | None:
        """Do what the test wants."""
        return act()

    return sample


def fails(error: BaseException) -> click.Command:
    def act() -> None:
        raise error

    return command_that(act)


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), (75, 75)])
def test_program_ends_with_what_its_command_returns(returned: int | None, code: int) -> None:
    assert program.run("sample", command_that(lambda: returned), []) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 64),
        (errors.DataError("x"), 65),
        (errors.MissingInput("x"), 66),
        (errors.Unavailable("x"), 69),
        (errors.SystemRefused("x"), 71),
        (errors.IoFailed("x"), 74),
        (errors.TryAgain("x"), 75),
        (errors.PeerError("x"), 76),
        (errors.NoPermission("x"), 77),
        (errors.ConfigError(("x",)), 78),
    ],
    ids=lambda value: type(value).__name__,
)
def test_expected_failure_is_one_line_and_its_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", fails(error), []) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("<3>")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_failure_names_the_program_and_the_reason(capsys: pytest.CaptureFixture[str]) -> None:
    program.run("sample", fails(errors.TryAgain("/run/lock: held by another run")), [])

    assert capsys.readouterr().err == "<3>plexguard-sample stopped: /run/lock: held by another run (try: man plexguard-sample)\n"


def test_each_mistake_of_the_configuration_is_an_event_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", fails(errors.ConfigError(("a: one", "b: two", "c: three"))), []) == os.EX_CONFIG

    assert capsys.readouterr().err == "<3>a: one\n<3>b: two\n<3>c: three\n"


def test_reason_with_bytes_that_are_no_text_and_a_secret_is_told_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "Failed to read /srv/\udcff\x1b: X-Plex-Token=abcdefghij"

    assert program.run("sample", fails(errors.IoFailed(reason)), []) == os.EX_IOERR

    assert (
        capsys.readouterr().err
        == "<3>plexguard-sample stopped: Failed to read /srv/\\xff\\x1b: X-Plex-Token=*** (try: man plexguard-sample)\n"
    )


@pytest.mark.parametrize(
    "error", [ValueError("odd"), RecursionError("deep"), OSError(5, "I/O error"), AssertionError(), KeyError("k")], ids=repr
)
def test_bug_is_a_critical_event_with_its_traceback(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", fails(error), []) == os.EX_SOFTWARE

    err = capsys.readouterr().err
    assert err.startswith(f"<2>plexguard-sample met a bug of its own: {type(error).__name__}: {error}\n<2>Traceback")
    assert "test_program.py" in err
    assert all(line.startswith("<2>") for line in err.splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-such-option"], "--no-such-option"),
        (["--format", "yaml"], "yaml"),
        (["--format"], "--format"),
        (["superfluous"], "superfluous"),
    ],
)
def test_wrong_argument_is_one_line_on_stderr_and_64(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", command_that(lambda: 0), arguments) == os.EX_USAGE

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("plexguard-sample: ")
    assert said in err
    assert err.endswith("(see plexguard-sample --help)\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()], ids=repr)
def test_end_by_the_reader_is_no_failure_to_be_told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", fails(error), []) == 130

    assert "<" not in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_goes_to_stdout_in_80_columns(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", command_that(lambda: 1), [flag]) == 0

    out, err = capsys.readouterr()
    assert err == ""
    assert "--config FILE" in out
    assert max(map(len, out.splitlines())) <= 80


def test_version_names_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.run("sample", command_that(lambda: 1), ["--version"]) == 0

    assert capsys.readouterr().out.startswith("plexguard-sample ")


def test_stop_is_not_caught_at_the_edge() -> None:
    with pytest.raises(SystemExit) as done:
        program.run("sample", fails(SystemExit(3)), [])

    assert done.value.code == 3


def test_a_unit_tells_the_same_mistakes_once_and_new_ones_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    first, second = errors.ConfigError(("a: one",)), errors.ConfigError(("a: one", "b: two"))

    told = []
    for error in (first, first, second, second, first):
        assert program.run("sample", fails(error), []) == os.EX_CONFIG
        told.append(capsys.readouterr().err.count("<3>"))

    assert told == [1, 0, 2, 0, 1]


def test_a_mended_configuration_is_told_once_and_forgets_what_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    program.run("sample", fails(errors.ConfigError(("a: one", "b: two"))), [])
    (tmp_path / "plexguard.toml").write_text("")
    capsys.readouterr()

    for _ in range(2):
        assert program.load_config(tmp_path / "plexguard.toml", PlexConfig) == PlexConfig()

    assert capsys.readouterr().err == "<5>The configuration of plexguard-sample has no mistake any more\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "plexguard.toml"]
