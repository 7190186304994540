"""Start a program; turn an error into one event and one exit code. The one place of the suite that catches broadly."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from plexguard import __version__
from plexguard.core import config, core_events
from plexguard.core.clock import Clock, SystemClock
from plexguard.core.errors import ConfigError, IoFailed, PlexguardError
from plexguard.core.host import Host, LocalHost
from plexguard.core.journal import Journal, StderrJournal, open_journal
from plexguard.core.manager import Manager, SystemdManager
from plexguard.core.notify import Notifier, SystemdNotifier
from plexguard.core.options import Section
from plexguard.core.plex_config import PlexConfig
from plexguard.core.state import PUBLISHED, state_directory, write_atomic
from plexguard.core.suite import section_names

F = TypeVar("F", bound=Callable[..., Any])
S = TypeVar("S", bound=Section)
# Exit code 1: it ran as meant and found, or left, something wrong.
FOUND_PROBLEMS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that reaches the outside, in one place, so that a test can hand in fakes."""

    journal: Journal
    clock: Clock
    host: Host
    manager: Manager
    notifier: Notifier

    @property
    def by_hand(self) -> bool:
        """Whether a person runs this, and reads what is printed."""
        return isinstance(self.journal, StderrJournal)


def open_ports(name: str) -> Ports:
    """Return the real ports for a program of that name."""
    host = LocalHost()
    return Ports(
        journal=open_journal(f"plexguard-{name}"),
        clock=SystemClock(),
        host=host,
        manager=SystemdManager(host),
        notifier=SystemdNotifier(),
    )


def config_option(command: F) -> F:
    """Add --config, the same for every program."""
    return click.option(
        "--config",
        "config_path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        default=config.DEFAULT_PATH,
        help="Read this file and FILE.d/*.toml.",
    )(command)


def format_option(command: F) -> F:
    """Add --format, the same for every program that reports."""
    return click.option(
        "--format", "output", type=click.Choice(["text", "json"]), default="text", help="Report for people or programs."
    )(command)


def version_option(name: str) -> Callable[[F], F]:
    return click.version_option(__version__, prog_name=f"plexguard-{name}", message="%(prog)s %(version)s")


def load_config(path: Path, section: type[S]) -> S:
    """Return a program's section of the configuration. Raises ConfigError with the mistakes in it, in [plex], and with
    sections that nobody knows; another program's section is its own matter."""
    settings = config.read(path, os.environ)
    taken = settings.take(section)
    if section is not PlexConfig:
        settings.take(PlexConfig)
    settings.check(section_names())
    _tell_mended()
    return taken


def load_section(path: Path, section: type[S]) -> S:
    """Return a program's section alone, for what has to be done whatever else is wrong. Raises ConfigError with its mistakes."""
    settings = config.read(path, os.environ)
    taken = settings.take(section)
    settings.check()
    return taken


CONTEXT: dict[str, Any] = {"max_content_width": 80, "help_option_names": ["-h", "--help"]}


def launch(name: str, command: click.Command) -> NoReturn:
    """Run a command and end the process with its exit code."""
    sys.exit(run(name, command, sys.argv[1:]))


def run(name: str, command: click.Command, arguments: list[str]) -> int:
    """Run a command with its arguments and return its exit code (sysexits(3))."""
    program = f"plexguard-{name}"
    try:
        code = command.main(arguments, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.UsageError as error:
        print(f"{program}: {error.format_message()} (see {program} --help)", file=sys.stderr)
        return os.EX_USAGE
    except click.ClickException as error:
        print(f"{program}: {error.format_message()}", file=sys.stderr)
        return os.EX_USAGE
    except (KeyboardInterrupt, click.Abort):
        return 130
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except SystemExit as done:
        # click has its own way with a broken pipe: it ends with 1, which is "found something wrong" here.
        if isinstance(done.__context__, BrokenPipeError):
            return 141
        raise
    except ConfigError as error:
        _tell_mistakes(program, error)
        return error.exit_code
    except PlexguardError as error:
        open_journal(program).send(
            core_events.PROGRAM_FAILED,
            program=program,
            reason=str(error),
            hint=error.hint or f"man {program}",
            exit_code=error.exit_code,
        )
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the edge: a bug becomes an event, not a lost traceback
        open_journal(program).send(
            core_events.PROGRAM_BUG, program=program, error=f"{type(error).__name__}: {error}", traceback=traceback.format_exc()
        )
        return os.EX_SOFTWARE


def _tell_mistakes(program: str, error: ConfigError) -> None:
    """Tell the mistakes of a configuration: by hand always, by a unit, which may run every 30 s, when they are new."""
    told, text = _told_mistakes(), f"{program}\n{error}"
    with contextlib.suppress(OSError):
        if told is not None and told.read_text(encoding="utf-8", errors="replace") == text:
            return
    for mistake in error.mistakes:
        open_journal(program).send(core_events.CONFIG_INVALID, program=program, mistake=mistake)
    if told is not None:
        with contextlib.suppress(IoFailed):
            write_atomic(told, text.encode("utf-8", "replace"), mode=PUBLISHED)


def _tell_mended() -> None:
    """Tell that the mistakes are mended which a unit has told, in the name of the program that told them."""
    told = _told_mistakes()
    if told is None or not told.exists():
        return
    program = told.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    told.unlink(missing_ok=True)
    open_journal(program).send(core_events.CONFIG_VALID, program=program)


def _told_mistakes() -> Path | None:
    """Return where a unit remembers which mistakes it has told; None for a run by hand."""
    return state_directory("") / "config-mistakes" if "STATE_DIRECTORY" in os.environ else None
