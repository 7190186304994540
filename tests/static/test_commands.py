"""What every command promises: --help, a wrong option, --version; and the completion of its arguments."""

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from plexguard import __version__
from plexguard.core.program import run
from plexguard.core.suite import PROGRAMS
from tests.generate import ZSH
from tests.static.tree import COMPLETIONS, command_of, commands_below, flags_of

EACH = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
EACH_WITH_SUB = pytest.mark.parametrize(
    ("program", "sub"),
    [(program, sub) for program in PROGRAMS for sub in commands_below(command_of(program))],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
NEEDS_BASH_COMPLETION = pytest.mark.skipif(not BASH_COMPLETION.exists(), reason="bash-completion is not installed")
NEEDS_ZSH = pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
# Said by completions and not worth a suggestion.
_SHORT = {"-h"}


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    # --help must fit 80 columns wherever it is called.
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


@EACH
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_goes_to_stdout_fits_and_names_the_page(program, flag, capsys):
    assert run(program.name, command_of(program), [flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: {program.command} ")
    assert f"Manual: man {program.command}" in out
    assert max(map(len, out.splitlines())) <= 80


@EACH_WITH_SUB
def test_help_of_every_command_fits_and_is_whole(program, sub, capsys):
    assert run(program.name, command_of(program), [*([sub] if sub else []), "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    # click cuts what does not fit.
    assert not [line for line in out.splitlines() if line.endswith("...") and not line.startswith("Usage:")]


@EACH_WITH_SUB
def test_every_option_has_one_line_of_help(program, sub):
    command = commands_below(command_of(program))[sub]
    for parameter in command.get_params(click.Context(command)):
        if isinstance(parameter, click.Option):
            assert parameter.help and "\n" not in parameter.help and parameter.help.endswith(".")
    assert command.help and "\n" not in command.help.strip() and command.help.strip().endswith(".")


@EACH
@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--config"]], ids=["unknown", "without its value"])
def test_wrong_option_gets_one_line_on_stderr(program, arguments, capsys):
    assert run(program.name, command_of(program), arguments) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith(f"{program.command}: ") and f"{program.command} --help" in err


@EACH
def test_version_is_one_line(program, capsys):
    assert run(program.name, command_of(program), ["--version"]) == 0
    assert capsys.readouterr() == (f"{program.command} {__version__}\n", "")


@EACH
def test_configuration_that_is_missing_is_told(program, capsys):
    sub = ["check-config"] if program.name == "status" else []
    assert run(program.name, command_of(program), [*sub, "--config", "/nonexistent/plexguard.toml"]) == 78
    out, err = capsys.readouterr()
    assert "/nonexistent/plexguard.toml: there is no such file" in out + err


# -- completion -------------------------------------------------------------------------------------------------------


def complete(command: str, *words: str, folder: Path | None = None) -> list[str]:
    """Return what bash offers for the last word, with the completion loaded as bash-completion loads it."""
    script = """
        . "$1"; . "$2"; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
        set -- "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        "_${1//-/_}" "$@"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    argv = ["bash", "--norc", "-c", script, "bash", str(BASH_COMPLETION), str(COMPLETIONS / command), command, *words]
    # An empty PATH: nothing may be started at completion time.
    done = subprocess.run(
        argv, cwd=folder, env={"PATH": "/nonexistent"}, executable=shutil.which("bash"), capture_output=True, text=True, timeout=10
    )
    assert done.stderr.replace("compopt: not currently executing completion function", "").strip(" \n:0123456789bashline") == ""
    return [line for line in done.stdout.splitlines() if line]


@EACH_WITH_SUB
@NEEDS_BASH_COMPLETION
def test_every_option_is_offered(program, sub):
    command = commands_below(command_of(program))[sub]
    offered = complete(program.command, *([sub] if sub else []), "--")
    assert set(offered) == flags_of(command) - _SHORT


@EACH
@NEEDS_BASH_COMPLETION
def test_every_subcommand_is_offered(program):
    below = set(commands_below(command_of(program))) - {""}
    assert below <= set(complete(program.command, ""))


@EACH
@NEEDS_BASH_COMPLETION
def test_words_of_the_format_are_offered(program):
    command = command_of(program)
    for sub, below in commands_below(command).items():
        if "--format" in flags_of(below):
            assert complete(program.command, *([sub] if sub else []), "--format", "") == ["text", "json"]
            assert complete(program.command, *([sub] if sub else []), "--format", "j") == ["json"]


@NEEDS_BASH_COMPLETION
def test_folders_are_offered_for_roots(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "notes.txt").touch()
    offered = complete("plexguard-perms-audit", "", folder=tmp_path)
    assert "films" in offered and "notes.txt" not in offered


@NEEDS_BASH_COMPLETION
def test_toml_files_are_offered_for_config(tmp_path):
    (tmp_path / "mine.toml").touch()
    (tmp_path / "notes.txt").touch()
    assert complete("plexguard-discover", "--config", "", folder=tmp_path) == ["mine.toml"]


@EACH
def test_completion_starts_no_program(program):
    text = (COMPLETIONS / program.command).read_text(encoding="utf-8")
    assert "python" not in text and f"$({program.command}" not in text
    assert f"complete -F _{program.command.replace('-', '_')} {program.command}\n" in text


def complete_in_zsh(*words: str) -> list[str]:
    """Return what zsh is given to choose from for the last word, which it is that compares."""
    script = """
        _describe() { print -rl -- "${(@)${(@P)2}%%:*}" }
        compadd() { shift; print -rl -- "$@" }
        _files() { print -r -- "files $*" }
        file=$1; shift; words=("$@"); CURRENT=$#; . $file
    """
    # An empty PATH here too.
    argv = ["zsh", "-f", "-c", script, "zsh", str(ZSH), *words]
    done = subprocess.run(
        argv, env={"PATH": "/nonexistent"}, executable=shutil.which("zsh"), capture_output=True, text=True, timeout=10
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@EACH_WITH_SUB
@NEEDS_ZSH
def test_zsh_is_given_every_option_and_every_subcommand_that_people_type(program, sub):
    command = commands_below(command_of(program))[sub]
    typed = [program.command, *([sub] if sub else [])]
    if not command.hidden:
        assert set(complete_in_zsh(*typed, "--")) >= flags_of(command) - _SHORT
        below = {name for name, other in commands_below(command).items() if name and not other.hidden}
        assert below <= set(complete_in_zsh(*typed, ""))


@NEEDS_ZSH
def test_zsh_is_given_what_an_option_or_a_command_takes():
    assert complete_in_zsh("plexguard-status", "check-config", "--format", "") == ["text", "json"]
    assert complete_in_zsh("plexguard-status", "--journal", "") == ["files -/"]
    assert complete_in_zsh("plexguard-db-export", "--config", "x.toml", "restore", "") == ["files "]
    assert complete_in_zsh("plexguard-notify", "queue", "") == ["list", "clear", "retry"]
