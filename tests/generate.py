"""Write the files that are made from the code: the message catalog, the example configuration, zsh's completion and the table
of what each service may do (`make generate`)."""

import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from plexguard.core import config, suite
from tests.static.tree import UnitFile, services

ROOT = Path(__file__).parent.parent
CATALOG = ROOT / "packaging/catalog/plexguard.catalog"
EXAMPLE = ROOT / "packaging/config/plexguard.toml"
ZSH = ROOT / "packaging/zsh/_plexguard"
README = ROOT / "README.md"
_TABLE = re.compile(r"(?<=<!-- made by `make generate` -->\n)(?:\|.*\n)*")

_CATALOG_HEAD = "# The runbooks of plexguard's events, shown by journalctl -x. Made from the code by `make generate`.\n\n"
_EXAMPLE_HEAD = """\
# The configuration of plexguard. Every option is shown with its default: an empty file is a working configuration.
# Drop-ins in plexguard.toml.d/*.toml win over this file, key by key. After a change:
#   plexguard-status check-config && plexguard-status apply

"""
# Only zsh's own means: nothing is started while somebody types.
_ZSH = """\
#compdef {programs}
# zsh completion for the programs of plexguard. Made from the code by `make generate`.

typeset -gA _plexguard_offered=(
{offered})
typeset -gA _plexguard_taken=(
{taken})

_plexguard() {{
    local command=$words[1] what word
    # The subcommands that are typed are part of the command's name.
    for word in $words[2,CURRENT-1]; do
        [[ -n "${{_plexguard_offered[$command $word]}}" ]] && command+=" $word"
    done
    word=$words[CURRENT-1]
    if [[ $word == -* && -n "${{_plexguard_taken[$command $word]+x}}" ]]; then
        what="${{_plexguard_taken[$command $word]}}"
    else
        local -a offered=("${{(@f)_plexguard_offered[$command]}}")
        [[ $words[CURRENT] == -* ]] && offered=(${{(M)offered:#-*}}) || offered=(${{offered:#-*}})
        (( $#offered )) && _describe word offered
        what="${{_plexguard_taken[$command ...]}}"
    fi
    case $what in
        words*) compadd -- ${{=what#words }} ;;
        folders) _files -/ ;;
        files) _files ;;
        # The names of the runs are those of their files.
        runs) compadd -- {{/etc,/usr/share}}/plexguard/cloud-run/*.toml(N:t:r) ;;
    esac
}}

_plexguard "$@"
"""


def render_catalog() -> str:
    return _CATALOG_HEAD + "\n".join(event.catalog_entry() for event in suite.events())


def render_example() -> str:
    return _EXAMPLE_HEAD + config.render_example(suite.sections())


def render_zsh() -> str:
    commands = {program.command: import_module(f"{program.package}.__main__").cli for program in suite.PROGRAMS}
    below = [pair for name, command in commands.items() for pair in _commands_below(name, command)]
    offered = "".join(f"    {_quote(name)} {_quote(_join(_offers(command)))}\n" for name, command in below)
    taken = "".join(f"    {_quote(key)} {_quote(what)}\n" for name, command in below for key, what in _takes(name, command))
    return _ZSH.format(programs=" ".join(commands), offered=offered, taken=taken)


def _commands_below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it that people type, by their whole names."""
    yield name, command
    for below, other in _shown(command).items():
        yield from _commands_below(f"{name} {below}", other)


def _shown(command: click.Command) -> dict[str, click.Command]:
    return {n: c for n, c in command.commands.items() if not c.hidden} if isinstance(command, click.Group) else {}


def _offers(command: click.Command) -> Iterator[str]:
    """Yield the words that may follow a command, each with what it is, as _describe takes them."""
    for name, below in _shown(command).items():
        yield f"{name}:{below.get_short_help_str(limit=70).rstrip('.')}"
    for option in _options(command):
        yield f"{max(option.opts, key=len)}:{(option.help or '').rstrip('.')}"


def _takes(name: str, command: click.Command) -> Iterator[tuple[str, str]]:
    """Yield what an option is followed by, under its name after the command's, and what the command is, under "…"."""
    for option in _options(command):
        if not option.is_flag and option.opts != ["--help"]:
            yield f"{name} {max(option.opts, key=len)}", _kind(name, option)
    for argument in command.params:
        if isinstance(argument, click.Argument) and (kind := _kind(name, argument)):
            yield f"{name} ...", kind


def _kind(command: str, parameter: click.Parameter) -> str:
    """Return what a word may be: "words A B", "folders", "files", "runs", or "" for what nobody can know."""
    metavar = (parameter.metavar or "").strip("[].")
    if isinstance(parameter.type, click.Choice):
        return f"words {' '.join(parameter.type.choices)}"
    if command.startswith("plexguard-cloud-run") and metavar == "NAME":
        return "runs"
    if metavar == "DIR":
        return "folders"
    return "files" if isinstance(parameter.type, click.Path) or metavar == "PATH" else ""


def _options(command: click.Command) -> list[click.Option]:
    return [p for p in command.get_params(click.Context(command)) if isinstance(p, click.Option) and not p.hidden]


def _join(lines: Iterator[str]) -> str:
    return "\n".join(lines)


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def render_readme() -> str:
    """Return the README with the table of what each service may do."""
    rows = [("service", "user", "capabilities at the most", "network", "exposure"), ("---",) * 5, *map(_rights, services())]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _TABLE.sub(lambda _: table, README.read_text(encoding="utf-8"))


def _rights(unit: UnitFile) -> tuple[str, ...]:
    capabilities = (unit.value("Service", "CapabilityBoundingSet") or "").replace("CAP_", "").lower()
    families = unit.value("Service", "RestrictAddressFamilies")
    is_offline = unit.value("Service", "PrivateNetwork") == "yes" or unit.value("Service", "IPAddressDeny") == "any"
    network = "no" if is_offline or families == "AF_UNIX" else "yes"
    name = unit.name.removesuffix(".service")
    return f"`{name}`", unit.value("Service", "User") or "root", capabilities or "none", network, f"{find_exposure(unit):.1f}"


def find_exposure(unit: UnitFile) -> float:
    """Return what systemd-analyze(1) says of a unit's file alone."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit.path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


if __name__ == "__main__":
    CATALOG.write_text(render_catalog(), encoding="utf-8")
    EXAMPLE.write_text(render_example(), encoding="utf-8")
    ZSH.write_text(render_zsh(), encoding="utf-8")
    README.write_text(render_readme(), encoding="utf-8")
