"""What people are told: a channel to a web hook, a trial over it, and a hung Plex as the pair that arrives."""

import json
from pathlib import Path
from typing import Any

from tests.demo.show import Show
from tests.machine import Machine

_INBOX = Path(__file__).parents[1] / "fakes/inbox.py"
_TAKEN = "/srv/inbox/taken.jsonl"
_CHANNEL = '[notify.channel.house]\nkind = "webhook"\nurl = "http://127.0.0.1:8099/hook"\n'


def open_channel(machine: Machine, show: Show) -> str:
    machine.push(_INBOX, "/opt/inbox.py")
    machine.run(["mkdir", "-p", "/srv/inbox"])
    machine.run(["systemd-run", "--unit=inbox", "/usr/bin/python3", "/opt/inbox.py", "8099", "/srv/inbox"])
    show.say("a receiver of web hooks stands beside it; a channel is configured:")
    machine.write("/etc/plexguard/plexguard.toml.d/60-channel.toml", _CHANNEL)
    show.command("cat", "/etc/plexguard/plexguard.toml.d/60-channel.toml")
    show.command("plexguard-status", "apply")
    show.command("plexguard-notify", "test")
    (arrived,) = _arrived(machine)
    show.say("what the receiver got:")
    show.data(_of_interest(arrived))
    return f'"{arrived["message"]}"'


def read_pair(machine: Machine, show: Show) -> str:
    machine.wait_for(lambda: _find(machine, "plex.recovered"), timeout_s=15, what="the recovery is delivered")
    hung, recovered = _find(machine, "plex.hung"), _find(machine, "plex.recovered")
    show.say("first the problem, then its end, which names it and says how long it lasted:")
    for body in (hung, recovered):
        show.data(_of_interest(body))
    machine.wait_for(lambda: _waiting(machine) == 0, timeout_s=30, what="the channel is done with all of it")
    show.command("plexguard-notify", "queue", "list")
    if not hung or recovered["problem_id"] != hung["id"]:
        raise AssertionError("the recovery does not name the problem that it ends")
    return f"problem and recovery arrived as a pair, downtime {recovered['downtime_s']} s"


def _of_interest(body: dict[str, Any]) -> dict[str, Any]:
    names = ("event", "severity", "title", "message", "id", "problem_id", "downtime_s")
    return {name: body[name] for name in names if body[name] is not None}


def _waiting(machine: Machine) -> int:
    listed = json.loads(machine.run(["plexguard-notify", "queue", "list", "--format", "json"]).stdout)
    return sum(int(channel["waiting"]) for channel in listed["channels"])


def _arrived(machine: Machine) -> list[dict[str, Any]]:
    return [json.loads(line)["body"] for line in machine.run(["cat", _TAKEN], check=False).stdout.splitlines()]


def _find(machine: Machine, name: str) -> dict[str, Any]:
    return next((body for body in _arrived(machine) if body["event"] == name), {})
