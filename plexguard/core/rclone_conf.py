"""rclone.conf: which remotes it has, and what of it one needs to be used on another machine. Pure; no value of it is told."""

import re
from collections.abc import Iterator

from plexguard.core.errors import DataError
from plexguard.core.events import show_path

_SECTION = re.compile(r"^\s*\[([^\]\n]+)\]\s*$", re.MULTILINE)
_TYPE = re.compile(r"^\s*type\s*[=:]\s*(\S+)\s*$", re.MULTILINE)
_OPTION = re.compile(r"^[ \t]*([\w-]+)[ \t]*[=:][ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
# The first line of one that has a password.
_ENCRYPTED = "RCLONE_ENCRYPT_"
# Options by which a remote stands on others (crypt, chunker, alias; union, combine).
_BELOW = ("remote", "upstreams")
# Options whose value is a file of the machine, beside those that end so.
_FILES = ("ca_cert", "client_cert", "client_key", "kerberos_ccache", "ssh")
_FILE_END = "_file"
_TRUE = ("true", "1", "yes")


def is_encrypted(text: str) -> bool:
    return any(line.startswith(_ENCRYPTED) for line in text.splitlines())


def name_of_remote(remote: str) -> str:
    """Return the name in rclone.conf of what is mounted ("s3" of "s3,no_head=true:media"), "" where it is named by its type."""
    return remote.partition(":")[0].partition(",")[0]


def read_kinds(text: str) -> dict[str, str]:
    """Return the remotes of an rclone.conf with their types, "" where one has none. Nothing else of it is looked at."""
    return {name: found[1] if (found := _TYPE.search(body)) else "" for name, body in _split(text).items()}


def pick_remote(text: str, remote: str) -> str:
    """Return what of an rclone.conf is needed to use a remote elsewhere: its section, and those that it stands on.

    Raises DataError where it is not in there, or needs something that only this machine has.
    """
    sections, name = _split(text), name_of_remote(remote)
    if not name:
        _refuse_own(remote, remote[1:].partition(":")[0].partition(",")[0])
        return ""
    if name not in sections:
        raise DataError(
            f"rclone.conf does not know the remote {show_path(name)}, only: {', '.join(sorted(sections)) or 'none'}",
            hint="rclone --config /etc/plexguard/credentials/rclone.conf config",
        )
    picked: dict[str, str] = {}
    left = [name]
    while left:
        one = left.pop()
        if one not in picked:
            picked[one] = sections[one]
            _check_portable(one, sections[one])
            left += _find_below(sections[one], sections)
    return "".join(f"[{one}]\n{picked[one].strip()}\n\n" for one in sections if one in picked)


def _split(text: str) -> dict[str, str]:
    parts = _SECTION.split(text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _find_below(body: str, sections: dict[str, str]) -> Iterator[str]:
    """Yield the sections that the options of one name: "s3:media", or "films=s3:films \"other:a b\"" for several."""
    values = [value for option, value in _OPTION.findall(body) if option in _BELOW]
    for name in sections:
        named = re.compile(rf'(?:^|[\s="]){re.escape(name)}[:,]')
        if any(named.search(value) for value in values):
            yield name


def _check_portable(name: str, body: str) -> None:
    place = f"rclone.conf: {show_path(name)}"
    options = dict(_OPTION.findall(body))
    _refuse_own(place, options.get("type", ""))
    if options.get("type") == "alias" and options.get("remote", "").startswith("/"):
        _refuse_own(place, "local")
    if options.get("env_auth", "").lower() in _TRUE:
        raise DataError(f"{place}: env_auth has its keys found on this machine: write them into rclone.conf for another one")
    for option in options:
        if option.endswith(_FILE_END) or option in _FILES:
            raise DataError(f"{place}: {option} names a file of this machine, which no other one has")


def _refuse_own(place: str, kind: str) -> None:
    if kind == "local":
        raise DataError(f"{place}: is a folder of this machine, which no other one has")
