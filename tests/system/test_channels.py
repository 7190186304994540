"""Channels inside the sandbox of the real unit, with the credentials that the generator has it given."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import READY, Machine, installed
from tests.system.conftest import configure

pytestmark = pytest.mark.machine

SERVICE = "plexguard-notify.service"
# Writes each request as a line of JSON.
SINK = """import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open("/var/tmp/requests", "a") as file:
            print(json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}), file=file)
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""
# The unit as it is, but that it sends a trial over each channel and ends.
TRIAL = """[Service]
Type=oneshot
ExecStart=
ExecStart=/usr/bin/plexguard-notify test
Restart=no
WatchdogSec=0
"""
CONFIG = '[notify.channel.any]\nkind = "apprise"\n[notify.channel.hook]\nkind = "webhook"\n[notify.channel.lost]\nkind = "airtable"\nbase = "appX"\ntable = "Log"\n'
CREDENTIALS = {
    "notify.any.url": "json://127.0.0.1:8099/SECRETPATH1",
    "notify.hook.url": "http://127.0.0.1:8099/SECRETPATH2",
    "notify.hook.hmac": "swordfish",
}


@pytest.fixture
def trial(deb: Path) -> Iterator[Machine]:
    with Machine(installed(READY.with_packages("apprise"), deb)) as machine:
        machine.write("/opt/sink.py", SINK)
        machine.write("/etc/systemd/system/sink.service", "[Service]\nExecStart=/usr/bin/python3 /opt/sink.py\n")
        for name, text in CREDENTIALS.items():
            machine.write(f"/etc/plexguard/credentials/{name}", text + "\n", mode=0o600)
        configure(machine, CONFIG)
        machine.systemctl("stop", SERVICE)
        machine.write(f"/etc/systemd/system/{SERVICE}.d/99-trial.conf", TRIAL)
        machine.systemctl("daemon-reload")
        machine.systemctl("start", "sink.service")
        yield machine


def requests(machine: Machine) -> dict[str, dict[str, object]]:
    lines = machine.run(["cat", "/var/tmp/requests"], check=False).stdout.splitlines()
    return {request["path"]: request for request in map(json.loads, lines)}


def test_each_channel_gets_its_own_secrets_in_the_sandbox(trial):
    trial.wait_for(
        lambda: trial.run(["curl", "-s", "-X", "GET", "http://127.0.0.1:8099/"], check=False).returncode == 0,
        timeout_s=20,
        what="the sink listens",
    )
    # One of the three has no token, which fails the trial but not the start of the unit.
    trial.systemctl("start", SERVICE, check=False)
    state = trial.unit(SERVICE)
    assert (state["Result"], state["ExecMainStatus"]) == ("exit-code", "1")
    found = requests(trial)
    assert set(found) == {"/SECRETPATH1", "/SECRETPATH2"}
    hook = found["/SECRETPATH2"]
    stamp, _, digest = hook["headers"]["x-plexguard-signature"].partition(",")
    signed = stamp.removeprefix("t=") + "." + hook["body"]
    assert digest == "sha256=" + hmac.new(b"swordfish", signed.encode(), hashlib.sha256).hexdigest()
    said = trial.journal_text("-u", SERVICE)
    assert "lost: failed: channel lost: no token: write it to /etc/plexguard/credentials/notify.lost.token" in said
    assert "any: taken" in said and "hook: taken" in said


def test_no_secret_is_where_others_can_read_it(trial):
    trial.systemctl("start", SERVICE, check=False)
    texts = [trial.journal_text(), trial.systemctl("show", SERVICE), trial.systemctl("cat", SERVICE)]
    assert not [secret for text in texts for secret in ("SECRETPATH", "swordfish") if secret in text]
