"""Secrets are planted in every credential, all that uses them works and fails, and then everything that is left is searched."""

import base64
import html
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.fakes import echo
from tests.machine import Machine
from tests.static.tree import services
from tests.system.conftest import await_event, await_found, configure, with_native_plex
from tests.system.native_plex import DATA, DOOR, FILMS, TOKEN, UNIT, set_plex

pytestmark = pytest.mark.machine

_LOG = f"{DATA}/Logs/Plex Media Server.log"
_ECHO = "http://127.0.0.1:8077"
_CREDENTIALS = "/etc/plexguard/credentials"
_PATTERNS, _SEEN = "/opt/patterns.json", "/opt/seen.json"
# Everything that fails does so at a server that repeats what it was asked with.
_CONFIG = f"""
[plex-probe]
interval = "5s"
[proxy]
log_sample = 1
[cloud-run]
provider = "scaleway"
project = "11111111-2222-3333-4444-555555555555"
owner = "home"
api = "{_ECHO}"
[notify.channel.hook]
kind = "webhook"
[notify.channel.alive]
kind = "ping"
interval = "1min"
[notify.channel.phone]
kind = "apprise"
[rclone.media]
remote = "far:media"
mount_point = "/mnt/media"
[speed-test]
endpoints = ["127.0.0.1:32400"]
"""
_RCLONE = "[far]\ntype = s3\nprovider = Other\nendpoint = {echo}\naccess_key_id = someone\nsecret_access_key = {key}\n"
# Looks at the arguments and the environment of every process, all the while.
_WATCH = """
import glob, json, os, time
patterns = {form.encode(): name for name, forms in json.load(open("/opt/patterns.json")).items() for form in forms}
seen = {}
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        try:
            text = open(path, "rb").read()
        except OSError:
            continue
        for form, name in patterns.items():
            if form in text:
                seen[f"{name}: {path.rpartition('/')[2]}"] = text.decode("utf-8", "replace")[:300]
    json.dump(seen, open("/opt/seen.json.new", "w"))
    os.rename("/opt/seen.json.new", "/opt/seen.json")
    time.sleep(0.02)
"""
# Everything that is on disk or in the journal, archives unpacked; but for where secrets are kept (rclone renews tokens in a file of its
# own), Plex's own and what this test brought.
_SEARCH = """
import json, os, subprocess
patterns = {form.encode(): name for name, forms in json.load(open("/opt/patterns.json")).items() for form in forms}
hits = []

def look(what, text):
    for form, name in patterns.items():
        at = text.find(form)
        if at >= 0:
            hits.append(f"{name} in {what}: ...{text[max(0, at - 80):at + 40]!r}")

look("the journal", subprocess.run(["journalctl", "-q", "--no-pager", "--all", "-o", "export"], capture_output=True).stdout)
look("all units", subprocess.run(["systemctl", "show", "plexguard*", "--all"], capture_output=True).stdout)
skipped = {"/proc", "/sys", "/dev", "/opt", "/etc/plexguard/credentials", "/run/credentials", "/var/lib/plexmediaserver", "/usr", "/var/log/journal",
    "/run/host", "/run/plexguard/Preferences.xml", "/run/plexguard-rclone/media/rclone.conf"}
files = 0
for folder, names, found in os.walk("/"):
    names[:] = [name for name in names if os.path.join(folder, name) not in skipped]
    for name in found:
        path = os.path.join(folder, name)
        if path in skipped or os.path.islink(path) or not os.path.isfile(path):
            continue
        files += 1
        text = open(path, "rb").read()
        look(path, text)
        if path.endswith(".zst"):
            look(path + ", unpacked", subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout)
print(json.dumps({"hits": hits, "files": files}))
"""


def forms_of(secret: str) -> list[str]:
    """Return a secret as it is, and as programs write it: escaped for URLs (twice too), HTML and JSON, in base64 and hex."""
    raw = secret.encode()
    shifted = [base64.b64encode(b"x" * shift + raw).decode()[4 if shift else 0 : -4] for shift in range(3)]
    escaped = [quote(secret, safe=""), quote(quote(secret, safe=""), safe=""), html.escape(secret), json.dumps(secret)[1:-1]]
    return sorted({secret, raw.hex(), *shifted, *(text.translate(str.maketrans("+/", "-_")) for text in shifted), *escaped})


@pytest.fixture(scope="module")
def planted() -> dict[str, str]:
    """Return a secret for each file among the credentials: long, and with what URLs, HTML and JSON escape."""
    names = {path.rpartition("/")[2] for unit in services() for path in credentials_of(unit.values("Service", "LoadCredential"))}
    names |= {"notify.hook.url", "notify.hook.hmac", "notify.alive.url", "notify.phone.url"}
    names = {name for name in names if "%" not in name}
    return {name: f"Geheim+{secrets.token_hex(8)}&<{secrets.token_hex(8)}" for name in names} | {"plex.token": TOKEN}


def credentials_of(loaded: list[str]) -> list[str]:
    paths = [value.partition(":")[2] for value in loaded]
    return [path for path in paths if path.startswith(_CREDENTIALS)]


@pytest.fixture(scope="module")
def lived(deb: Path, planted: dict[str, str]) -> Iterator[Machine]:
    """A machine on which everything was tried that is given a secret, and most of it has failed."""
    with Machine(with_native_plex(deb)) as machine:
        await_found(machine)
        machine.write(_PATTERNS, json.dumps({name: forms_of(secret) for name, secret in planted.items()}))
        machine.push(echo.__file__, "/opt/echo.py")
        machine.run(["systemd-run", "--quiet", "--unit=echo", "/usr/bin/python3", "/opt/echo.py", _ECHO.rpartition(":")[2]])
        machine.run(["systemd-run", "--quiet", "--unit=watch", "/usr/bin/python3", "-c", _WATCH])
        plant(machine, planted)
        machine.run(["sed", "-i", "s/^#user_allow_other/user_allow_other/", "/etc/fuse.conf"])
        configure(machine, _CONFIG)
        live(machine, planted)
        yield machine


def plant(machine: Machine, planted: dict[str, str]) -> None:
    texts = dict(planted)
    texts["rclone.conf"] = _RCLONE.format(echo=_ECHO, key=planted["rclone.conf"])
    for name in ("hook", "alive", "phone"):
        scheme = "json" if name == "phone" else "http"
        texts[f"notify.{name}.url"] = f"{scheme}{_ECHO.removeprefix('http')}/{quote(planted[f'notify.{name}.url'], safe='')}"
    for name, text in texts.items():
        machine.write(f"{_CREDENTIALS}/{name}", f"{text}\n", mode=0o600)


def live(machine: Machine, planted: dict[str, str]) -> None:
    """Have everything work, and fail, that is given a secret, and everything told that somebody might."""

    def do(*argv: str) -> None:
        machine.run(list(argv), check=False, timeout_s=120)

    for text in (TOKEN, quote(planted["plex.account-token"]), quote(quote(planted["scaleway.secret-key"]))):
        do("curl", "-s", "-m", "5", f"{DOOR}/library/sections?X-Plex-Token={text}")
        do("curl", "-s", "-m", "5", f"http://127.0.0.1:32480/api/v1/events?X-Plex-Token={text}")
    complaint = f"Error opening file '\"{FILMS}/x.mkv?X-Plex-Token={TOKEN}\"' - Permission denied (13)"
    machine.run(["tee", "-a", _LOG], user="plex", input=f"Nov 21, 2026 10:00:00.000 [140594388716176] ERROR - {complaint}\n")
    for service in ("discover", "perms-audit-full", "net-recover", "speed-test", "db-export", "trash", "cloud-reaper"):
        do("systemctl", "start", f"plexguard-{service}.service")
    do("systemctl", "start", "plexguard-cloud-preflight@delta.service")
    do("plexguard-notify", "test")
    set_plex(machine, mode="hung")
    await_event(machine, "plex.hung", timeout_s=90)
    set_plex(machine, mode="healthy")
    await_event(machine, "plex.recovered", timeout_s=120)
    await_event(machine, "notify.channel-failed", timeout_s=60)
    # What a crash leaves is searched too.
    for unit in (
        "plexguard-notify",
        "plexguard-status",
        "plexguard-proxy",
        "plexguard-rclone-watchdog@media",
        "plexguard-proxy-breaker",
    ):
        do("systemctl", "kill", "--kill-who=main", "--signal=SEGV", unit)
    machine.wait_for(lambda: machine.unit(UNIT)["ActiveState"] == "active", timeout_s=60, what="Plex runs")


@pytest.fixture(scope="module")
def found(lived: Machine) -> dict[str, Any]:
    return dict(json.loads(lived.run(["/usr/bin/python3", "-c", _SEARCH], timeout_s=300).stdout))


def test_no_secret_is_on_disk_or_in_the_journal(found: dict[str, Any]) -> None:
    assert "\n".join(found["hits"]) == ""
    # It did look.
    assert found["files"] > 1000


def test_what_holds_secrets_is_closed(lived: Machine) -> None:
    for path in ("/run/plexguard/Preferences.xml", "/run/plexguard-rclone/media/rclone.conf", _CREDENTIALS):
        assert lived.run(["cat", path], user="nobody", check=False).returncode != 0


def test_no_secret_was_in_the_arguments_or_the_environment_of_a_process(lived: Machine) -> None:
    # What this test starts itself is told by its curl.
    seen = json.loads(lived.read(_SEEN))
    assert {what: text for what, text in seen.items() if "curl\0" not in text} == {}


@pytest.mark.parametrize(
    "command",
    [
        "plexguard-status",
        "plexguard-status --format json",
        "plexguard-status check-config",
        "plexguard-plex-probe --explain",
        "plexguard-notify queue list",
        "plexguard-notify test",
        "plexguard-cloud-run plan delta",
        "plexguard-cloud-run orphans",
        "plexguard-proxy check --print",
        "plexguard-rclone-watchdog probe /mnt/media",
        "curl -s http://127.0.0.1:32480/",
        "curl -s http://127.0.0.1:32480/metrics",
        "curl -s http://127.0.0.1:32480/api/v1/status",
        "curl -s http://127.0.0.1:32480/api/v1/health",
        "curl -s http://127.0.0.1:32480/api/v1/events",
        "curl -s http://127.0.0.1:32480/api/v1/timeline",
    ],
)
def test_nothing_that_is_printed_or_served_has_a_secret(lived: Machine, planted: dict[str, str], command: str) -> None:
    done = lived.run(command.split(), check=False, timeout_s=120)

    assert done.stdout + done.stderr
    told = {name for name, secret in planted.items() for form in forms_of(secret) if form in done.stdout + done.stderr}
    assert told == set()
