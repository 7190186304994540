"""Which units the suite's users may have started: polkitd itself is asked about every unit, verb and user."""

import json

import pytest

from tests.machine import Machine
from tests.static.tree import units

pytestmark = pytest.mark.machine

# What each may start, with a name of its own where there is one for each mount or run. Nothing else, and with no other verb.
MAY_START = {
    "plexguard": {"plexguard-plex-restart.service"},
    "plexguard-media": {"plexguard-rclone@x.service", "plexguard-rclone-cover@x.service", "plexguard-rclone-inside@x.service"},
    "plexguard-cloud": {
        "plexguard-cloud-run@x.service",
        "plexguard-cloud-apply@x.service",
        "plexguard-db-export.service",
        "plexguard-rclone-watchdog@x.service",
    },
    "nobody": set(),
}
FOREIGN = [
    "plexmediaserver.service",
    "docker.service",
    "ssh.service",
    "reboot.target",
    "plexguard-plex-restart.service.evil.service",
]
VERBS = ["start", "stop", "restart", "kill", "set-property"]
# What else the service manager and logind let somebody do.
ACTIONS = [
    *(f"org.freedesktop.systemd1.{name}" for name in ("manage-unit-files", "reload-daemon", "set-environment", "reply-password")),
    *(f"org.freedesktop.login1.{name}" for name in ("reboot", "power-off", "halt", "manage")),
]
_ASK = """
import json, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

asked = json.loads(sys.argv[1])
users = {user: subprocess.Popen(["sleep", "200"], user=user, stdout=subprocess.DEVNULL) for user in asked["users"]}

def ask(question):
    user, action, details = question
    argv = ["pkcheck", "--action-id", action, "--process", str(users[user].pid)]
    for name, value in details.items():
        argv += ["--detail", name, value]
    return subprocess.run(argv, capture_output=True).returncode

questions = [(user, "org.freedesktop.systemd1.manage-units", {"unit": unit, "verb": verb})
             for user in users for unit in asked["units"] for verb in asked["verbs"]]
questions += [(user, action, {}) for user in users for action in asked["actions"]]
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(ask, questions))
for process in users.values():
    process.kill()
print(json.dumps([question for question, answer in zip(questions, answers) if answer == 0]))
assert set(answers) <= {0, 1, 2}, answers
"""


def test_each_user_may_start_what_it_is_for_and_nothing_else(machine: Machine) -> None:
    named = [unit.name.replace("@.", "@x.") for unit in units()] + FOREIGN
    asked = {"users": list(MAY_START), "units": named, "verbs": VERBS, "actions": ACTIONS}

    allowed = json.loads(machine.run(["/usr/bin/python3", "-c", _ASK, json.dumps(asked)], timeout_s=240).stdout)

    expected = {(user, "start", unit) for user, started in MAY_START.items() for unit in started}
    assert {(user, details.get("verb", action), details.get("unit")) for user, action, details in allowed} == expected
