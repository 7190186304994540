"""Put HAProxy's configuration in place: made, checked by HAProxy itself, and only then moved to where it is read."""

import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from plexguard.core.clock import Clock
from plexguard.core.endpoints import Endpoint
from plexguard.core.errors import DataError, IoFailed
from plexguard.core.found import FoundPlex, is_plexs
from plexguard.core.host import Host
from plexguard.core.state import write_atomic
from plexguard.proxy.config import Config
from plexguard.proxy.observe import find_taken
from plexguard.proxy.render.common import BREAKER, MAIN, SERVERS, SOCKET
from plexguard.proxy.runtime import ProxyAway, RuntimeSocket

HAPROXY = "/usr/sbin/haproxy"
_CHECK_TIMEOUT_S = 20.0
# Its unit's start has 90 s.
_PATIENCE_S, _PAUSE_S = 60.0, 3.0
# A file of HAProxy's server states, version 1, and nothing in it.
_NO_STATE = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_time_since_last_change "
    "srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn "
    "srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)
_MODE = 0o640


class ConfigurationRefused(DataError):
    """HAProxy does not take a configuration that was made for it, or could not do what it says."""

    exit_code = os.EX_CONFIG
    hint = "plexguard-proxy check"


def find_clashes(config: Config, found: FoundPlex | None) -> tuple[str, ...]:
    """Return what would have the door in Plex's way: who is there first has the port, at boot the door."""
    listen = {"listen": config.listen, "metrics_listen": config.metrics_listen}
    return tuple(
        f"[{config.SECTION}] {name}: found {endpoint}, where Plex itself answers"
        for name, endpoints in listen.items()
        for endpoint in endpoints
        if is_plexs(endpoint, found)
    )


class NameUnknown(ConfigurationRefused):
    """It names a server whose name leads nowhere yet, as at boot before there is a network."""


def check(files: Mapping[str, str], host: Host, *, folder: Path) -> None:
    """Have HAProxy read a configuration whose files will lie in that folder. Raises ConfigurationRefused, CommandError and
    IoFailed."""
    with tempfile.TemporaryDirectory(prefix="plexguard-proxy-") as name:
        moved = {file: text.replace(f"{folder}/", f"{name}/") for file, text in files.items()}
        place(moved, Path(name))
        done = host.run([HAPROXY, "-c", "-f", f"{name}/{MAIN}"], timeout_s=_CHECK_TIMEOUT_S, check=False)
        if done.code != 0:
            reason = summarize(done.stderr or done.stdout)
            kind = NameUnknown if "could not resolve address" in reason else ConfigurationRefused
            raise kind(f"haproxy -c: {reason}")


def check_patiently(files: Mapping[str, str], host: Host, clock: Clock, *, folder: Path) -> None:
    """Do the same, and wait some time for a name that is not known yet: a configuration that was refused is not tried again.
    Raises what `check` does."""
    deadline_s = clock.monotonic_s() + _PATIENCE_S
    while True:
        try:
            return check(files, host, folder=folder)
        except NameUnknown:
            if clock.monotonic_s() + _PAUSE_S > deadline_s:
                raise
        clock.sleep(_PAUSE_S)


def check_free(listen: Iterable[Endpoint]) -> None:
    """Raises ConfigurationRefused where HAProxy could not listen. It does not look at that by itself when it checks, and would find
    out at a reload only after it has shut the door for two seconds."""
    taken = find_taken(listen)
    if taken:
        raise ConfigurationRefused("; ".join(f"it cannot listen at {place}: {reason}" for place, reason in taken.items()))


def place(files: Mapping[str, str], folder: Path) -> None:
    """Write the files of a configuration, the one that names the others last. Raises IoFailed."""
    for name in sorted(files, key=lambda name: name == MAIN):
        write_atomic(folder / name, files[name].encode("utf-8"), mode=_MODE)


def keep_servers(folder: Path) -> bool:
    """Write down how the running process has its servers, for the one that takes its place: what is open stays open. Return whether
    there is one that says so. Raises IoFailed."""
    try:
        text = RuntimeSocket(folder / SOCKET).ask("show servers state")
    except ProxyAway:
        return False
    # Half of it would leave the servers that come later as if nothing were known of them.
    if not text.endswith("\n\n"):
        return False
    _write_servers(folder, text.strip() + "\n")
    return True


def make_servers(folder: Path, url: str, *, is_shut: bool, is_drained: bool) -> None:
    """Have a process that takes nobody's place begin as the breaker and the administrator want it, before either can tell it.
    Raises IoFailed."""
    line = _server_line(url, is_drained=is_drained) if is_shut or is_drained else ""
    _write_servers(folder, _NO_STATE + line)


def _write_servers(folder: Path, text: str) -> None:
    write_atomic(folder / SERVERS, text.encode("utf-8"), mode=_MODE)


def _server_line(url: str, *, is_drained: bool) -> str:
    """Return the server that is Plex as one that is down, looked after by HAProxy's own check, as `show servers state` has it."""
    parts = urlsplit(url)
    try:
        address = ipaddress.ip_address(parts.hostname or "127.0.0.1")
    except ValueError:
        # What a name stands for is HAProxy's to find out.
        return ""
    backend, _, server = BREAKER.partition("/")
    return f"1 {backend} 1 {server} {address} 0 {int(is_drained)} 1 1 0 1 0 0 6 0 0 0 - {parts.port or 32400} - 0 0 - - 0\n"


def is_same_plex(files: Mapping[str, str], folder: Path) -> bool:
    """Return whether the configuration in place leads to the same Plex: the state of another's server is of no use."""
    return _server_lines(_read_main(folder)) == _server_lines(files[MAIN])


def differs(files: Mapping[str, str], folder: Path) -> bool:
    """Return whether a configuration says something else than the one in place."""
    return _read_main(folder) != files[MAIN]


def _read_main(folder: Path) -> str:
    try:
        return (folder / MAIN).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise IoFailed(f"Failed to read {folder / MAIN}: {error}") from error


def _server_lines(text: str) -> list[str]:
    return re.findall(r"^ +server plex (\S+(?: ssl)?)", text, re.MULTILINE)


def summarize(output: str) -> str:
    """Return what is wrong out of what `haproxy -c` prints: its alerts, without their marks, on one line."""
    alerts = re.findall(r"^\[ALERT\]\s+\(\d+\) : (?:config : )?(.*)$", output, re.MULTILINE)
    kept = [alert for alert in alerts if not alert.startswith(("Error(s) found", "Fatal errors"))]
    return "; ".join(kept)[:600] or " ".join(output.split())[-600:] or "no reason given"
