"""The front door on a booted machine: its units, its sandbox, its breaker, and what an administrator can do with it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machine import Machine
from tests.machine.inside import Spawned
from tests.system.conftest import (
    assert_clean_journal,
    await_event,
    await_found,
    configure,
    events,
    explain,
    install_again,
    with_native_plex,
)
from tests.system.fake_package import build_package, install_package
from tests.system.native_plex import DOOR, FILMS, PROGRAM, TOKEN, UNIT, ask_plex, list_films, set_plex
from tests.system.probing import PROBING

pytestmark = pytest.mark.machine

FRONT, BREAKER, PICTURES = (f"plexguard-proxy{name}.service" for name in ("", "-breaker", "-pictures"))
QUICK = '[proxy]\nopen_for = "2s"\n'


# At the speed at which it is played here it lasts for two minutes.
FILM, FILM_BYTES = f"{FILMS}/Film 1 (2001)/Film 1.mkv", 240 * 1000 * 1000
BEGAN, GO_ON = "/tmp/film-began", "/tmp/film-goes-on"


@pytest.fixture
def guarded(plex_machine: Machine) -> Machine:
    """A machine with a Plex whose door has come up by itself."""
    await_door(plex_machine)
    return plex_machine


@pytest.fixture(params=["bookworm", "trixie"])
def either(request: pytest.FixtureRequest, deb: Path) -> Iterator[Machine]:
    """The same on both releases, which have different HAProxys and systemds."""
    with Machine(with_native_plex(deb, request.param)) as machine:
        await_found(machine)
        await_door(machine)
        yield machine


def await_door(machine: Machine) -> None:
    # On one kernel all machines are of one boot: the breaker takes up what it was when the machine's layer was made.
    machine.wait_for(lambda: ask(machine)[0] == 200, timeout_s=120, what="the door answers")
    machine.wait_for(lambda: show(machine)["phase"] == "closed", timeout_s=30, what="the breaker has looked")


def ask(machine: Machine, path: str = "/library/sections", *more: str) -> tuple[int, str]:
    """Return the status and the body of an answer at the door; 0 where there is none."""
    argv = ["curl", "-sS", "--max-time", "30", "-w", "\n%{http_code}", "-H", f"X-Plex-Token: {TOKEN}", *more, DOOR + path]
    body, _, status = machine.run(argv, check=False).stdout.rpartition("\n")
    return int(status or 0), body


def show(machine: Machine) -> dict[str, object]:
    return dict(json.loads(machine.run(["plexguard-proxy", "show", "--format", "json"], check=False).stdout))


def await_phase(machine: Machine, phase: str, *, timeout_s: float = 60) -> None:
    machine.wait_for(lambda: show(machine)["phase"] == phase, timeout_s=timeout_s, what=f"the breaker is {phase}")


def begin_film(machine: Machine) -> Spawned:
    """Have a player begin a film through the door, and play it at 2 MB/s."""
    machine.run(["truncate", "-s", str(FILM_BYTES), FILM])
    player = f"curl -sSf -H 'X-Plex-Token: {TOKEN}' {DOOR}{list_films(machine)[FILM]}"
    slowly = f"until [ -e {GO_ON} ]; do head -c 1000000 | wc -c; touch {BEGAN}; sleep 0.5; done; wc -c"
    playing = machine.spawn(["bash", "-c", f"set -o pipefail; {player} | ({slowly})"])
    machine.wait_for(lambda: machine.run(["test", "-e", BEGAN], check=False).returncode == 0, timeout_s=30, what="the film plays")
    return playing


def end_film(machine: Machine, playing: Spawned) -> int:
    """Have the player read on to the end, and return how many bytes of the film it got."""
    machine.write(GO_ON, "")
    counted, complaint = playing.communicate(timeout=60)
    assert playing.returncode == 0, complaint
    return sum(map(int, counted.split()))


def find_picture(machine: Machine) -> str:
    films = ask_plex(machine, "/library/sections/1/all")
    assert films is not None
    return str(films["Metadata"][0]["thumb"])  # type: ignore[index]


def workers(machine: Machine) -> list[str]:
    """Return the processes of the front door: HAProxy's master and its worker."""
    group = machine.unit(FRONT).get("ControlGroup", "")
    return machine.run(["cat", f"/sys/fs/cgroup{group}/cgroup.procs"], check=False).stdout.split() if group else []


def test_door_is_open_after_installation_and_nobody_is_warned(guarded):
    assert [guarded.unit(unit)["ActiveState"] for unit in (FRONT, BREAKER, PICTURES)] == ["active"] * 3
    status, body = ask(guarded)
    assert status == 200 and "MediaContainer" in body
    assert guarded.run(["plexguard-proxy", "check"]).stdout == "HAProxy takes the configuration\n"
    listening = guarded.run(["ss", "-Htln"]).stdout
    assert "127.0.0.1:32401" in listening and "0.0.0.0:32401" not in listening
    assert_clean_journal(guarded)


def test_token_of_a_caller_or_of_plex_is_nowhere_to_be_read(guarded):
    configure(guarded, "[proxy]\nlog_sample = 1\n")
    for path in (
        f"/library/sections?X-Plex-Token={TOKEN}",
        f"/nothing/X-Plex-Token={TOKEN}",
        f"/library/parts/9/1/f?a=%3FX-Plex-Token%3D{TOKEN}",
    ):
        ask(guarded, path)
    guarded.wait_for(lambda: "/library/parts/9" in guarded.journal_text("-u", FRONT), timeout_s=10, what="it is in the journal")
    guarded.run(["plexguard-proxy", "check", "--print"])

    for folder in ("/run/plexguard/proxy", "/run/plexguard/proxy-pictures", "/var/lib/plexguard"):
        assert guarded.run(["grep", "-r", TOKEN, folder], check=False).stdout == ""
    assert TOKEN not in guarded.journal_text("-o", "verbose", "-u", "plexguard-proxy*")
    arguments = "for pid in $(systemctl show -P MainPID plexguard-proxy plexguard-proxy-breaker plexguard-proxy-pictures); do cat /proc/$pid/cmdline /proc/$pid/environ; done"
    assert TOKEN not in guarded.run(["sh", "-c", arguments]).stdout
    assert guarded.run(["cat", "/run/plexguard/proxy/haproxy.cfg"], user="nobody", check=False).returncode != 0


def test_plex_that_hangs_is_left_alone_and_taken_back(either):
    guarded = either
    configure(guarded, QUICK)
    await_phase(guarded, "closed")
    set_plex(guarded, mode="hung")
    await_phase(guarded, "open")
    told = events(guarded, "proxy.opened")[-1]
    assert told["PLEXGUARD_TRIGGER"] in ("checks", "traffic", "verdict")
    status, body = ask(guarded, "/library/sections", "-H", "Accept: application/json")
    assert status == 503 and json.loads(body)["error"] == "Service unavailable"
    assert show(guarded)["phase"] in ("open", "half-open")
    set_plex(guarded, mode="healthy")
    await_phase(guarded, "closed")
    assert ask(guarded)[0] == 200 and events(guarded, "proxy.closed")
    assert "plexguard-plex-probe --explain" in explain(guarded, "proxy.opened")


def test_drill_turns_callers_away_and_lets_them_in_again(guarded):
    configure(guarded, QUICK)
    await_phase(guarded, "closed")
    assert guarded.run(["plexguard-proxy", "drain"], user="nobody", check=False).returncode == 77
    guarded.run(["plexguard-proxy", "drain"])
    await_phase(guarded, "open")
    status, body = ask(guarded, "/", "-H", "Accept: application/json")
    assert (status, json.loads(body)["reason"]) == (503, "maintenance")
    # What an upgrade, or a crash, does is not for it to end.
    guarded.systemctl("restart", FRONT)
    assert [ask(guarded)[0] for _ in range(20)] == [503] * 20
    guarded.systemctl("reload", FRONT)
    assert ask(guarded)[0] == 503
    guarded.run(["plexguard-proxy", "ready"])
    await_phase(guarded, "closed")
    assert "nothing is changed" in guarded.run(["plexguard-proxy", "ready"]).stdout
    assert ask(guarded)[0] == 200
    assert ask(guarded)[0] == 200
    assert_clean_journal(guarded)


def test_applied_configuration_is_taken_by_a_reload(guarded):
    before = guarded.unit(FRONT)["MainPID"]
    configure(guarded, '[proxy]\nlisten = ["127.0.0.1:32401", "127.0.0.1:32411"]\n')
    guarded.wait_for(
        lambda: "127.0.0.1:32411" in guarded.run(["ss", "-Htln"]).stdout, timeout_s=20, what="the proxy listens where it is told"
    )
    assert guarded.unit(FRONT)["MainPID"] == before
    assert guarded.unit(PICTURES)["NRestarts"] == "0"
    assert ask(guarded)[0] == 200


def test_door_follows_a_plex_that_moves_to_another_port(guarded):
    before = [guarded.unit(unit)["MainPID"] for unit in (FRONT, PICTURES)]
    guarded.write(
        f"/etc/systemd/system/{UNIT}.d/port.conf",
        f'[Service]\nExecStart=\nExecStart="{PROGRAM}" --port 32500\n',
    )
    guarded.write("/etc/plexguard/plexguard.toml.d/50-test.toml", '[plex]\nurl = "http://127.0.0.1:32500"\n' + QUICK)
    guarded.systemctl("daemon-reload")
    guarded.systemctl("restart", UNIT)
    # What its timer does every five minutes.
    guarded.systemctl("start", "plexguard-discover.service")
    guarded.wait_for(lambda: ask(guarded)[0] == 200, timeout_s=60, what="the door leads to the other port")
    assert [guarded.unit(unit)["MainPID"] for unit in (FRONT, PICTURES)] == before
    assert [guarded.unit(unit)["NRestarts"] for unit in (FRONT, PICTURES)] == ["0", "0"]
    assert "127.0.0.1:32400" not in guarded.read("/run/plexguard/proxy-pictures/haproxy.cfg")
    assert guarded.failed_units() == []


def test_film_plays_on_through_an_upgrade_and_the_reloads_that_plexguard_causes(either, deb):
    picture = find_picture(either)
    assert ask(either, picture, "-o", "/dev/null")[0] == 200
    before = {unit: either.unit(unit)["MainPID"] for unit in (FRONT, PICTURES)}
    breaker = either.unit(BREAKER)["MainPID"]
    playing = begin_film(either)

    install_again(either, deb)
    assert either.unit(BREAKER)["MainPID"] not in ("0", breaker)
    configure(either, '[proxy]\nlisten = ["127.0.0.1:32401", "127.0.0.1:32411"]\n')
    either.run(["/etc/needrestart/restart.d/plexguard-proxy.service"])

    assert {unit: either.unit(unit)["MainPID"] for unit in (FRONT, PICTURES)} == before
    assert "127.0.0.1:32411" in either.run(["ss", "-Htln"]).stdout
    assert playing.poll() is None and end_film(either, playing) == FILM_BYTES
    either.systemctl("stop", UNIT)
    await_phase(either, "open")
    assert ask(either, picture, "-o", "/dev/null")[0] == 200
    assert ask(either)[0] == 503


def test_upgrade_does_not_start_a_door_that_somebody_has_shut(guarded, deb):
    guarded.systemctl("disable", "--now", FRONT)
    install_again(guarded, deb)
    assert guarded.unit(FRONT)["ActiveState"] == "inactive"


def test_haproxy_has_nothing_to_complain_of(either):
    for folder in ("/run/plexguard/proxy", "/run/plexguard/proxy-pictures"):
        said = either.run(["haproxy", "-c", "-f", f"{folder}/haproxy.cfg"])
        complaints = [line for line in said.stderr.splitlines() if line.startswith(("[WARNING]", "[ALERT]"))]
        # That the gate was shut when the door was last reloaded is taken up, and said.
        assert not [line for line in complaints if " is DOWN" not in line], said.stderr


@pytest.mark.parametrize(
    ("fault", "reason"), [("maintenance", "maintenance"), ("update", "updating"), ("stop", "down")], ids=lambda value: value
)
def test_callers_are_told_what_the_probe_found_in_their_own_language(guarded, fault, reason):
    configure(guarded, PROBING)
    match fault:
        case "maintenance":
            set_plex(guarded, mode="maintenance")
        case "stop":
            guarded.systemctl("stop", UNIT)
        case _:
            install_package(guarded, build_package(guarded, "1.43.4.10903-e5521bd8c"))
            guarded.spawn(["dpkg", "-i", build_package(guarded, "1.44.0.11000-0123456789", work_s=600)])
    guarded.wait_for(lambda: ask(guarded)[0] == 503 and show(guarded)["reason"] == reason, timeout_s=90, what=f"it is {reason}")

    bodies = {accept: ask(guarded, "/", "-H", f"Accept: {accept}")[1] for accept in ("application/json", "text/html", "*/*")}
    assert json.loads(bodies["application/json"])["reason"] == reason
    assert bodies["text/html"].startswith("<!DOCTYPE html>") and f"Reason: {reason}." in bodies["text/html"]
    assert f'reason="{reason}"' in bodies["*/*"] and bodies["*/*"].startswith("<?xml ")


def test_reload_with_a_port_that_is_taken_is_refused_and_the_door_stays_as_it_was(guarded):
    guarded.spawn(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "32499"])
    guarded.wait_for(lambda: ":32499" in guarded.run(["ss", "-Htln"]).stdout, timeout_s=20, what="the other program listens")
    guarded.write("/etc/plexguard/plexguard.toml.d/60-bad.toml", '[proxy]\nlisten = ["127.0.0.1:32401", "127.0.0.1:32499"]\n')
    before = workers(guarded)

    assert guarded.run(["systemctl", "reload", FRONT], check=False).returncode != 0

    assert workers(guarded) == before and ask(guarded)[0] == 200
    told = await_event(guarded, "proxy.refused", timeout_s=10)
    assert "it cannot listen at 127.0.0.1:32499: Address already in use" in told["MESSAGE"]
    assert "ss -tlnp" in explain(guarded, "proxy.refused")
    guarded.run(["rm", "/etc/plexguard/plexguard.toml.d/60-bad.toml"])
    guarded.systemctl("reload", FRONT)


def test_mistake_in_the_configuration_changes_nothing_and_does_not_hide_the_breaker(guarded):
    guarded.write("/etc/plexguard/plexguard.toml.d/60-bad.toml", '[proxy.path.x]\nkind = "no"\n')
    assert guarded.run(["systemctl", "reload", FRONT], check=False).returncode != 0
    assert ask(guarded)[0] == 200
    guarded.wait_for(lambda: show(guarded)["guarded"], timeout_s=60, what="the breaker has said how it is")
    shown = guarded.run(["plexguard-proxy", "show"])
    assert "check-config" in shown.stdout and "requests reach Plex" in shown.stdout
    guarded.run(["rm", "/etc/plexguard/plexguard.toml.d/60-bad.toml"])
    guarded.systemctl("reload", FRONT)
    assert ask(guarded)[0] == 200


def test_port_that_is_taken_at_start_is_named_and_not_tried_for_ever(guarded):
    guarded.systemctl("stop", FRONT)
    other = guarded.spawn(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", "32401"])
    guarded.wait_for(lambda: ":32401" in guarded.run(["ss", "-Htln"]).stdout, timeout_s=20, what="the other program listens")

    assert guarded.run(["systemctl", "start", FRONT], check=False).returncode != 0

    assert guarded.unit(FRONT)["ActiveState"] == "failed" and guarded.unit(FRONT)["NRestarts"] == "0"
    assert len(events(guarded, "proxy.refused")) == 1
    assert "127.0.0.1:32401: Address already in use" in guarded.systemctl("status", FRONT, check=False)
    shown = guarded.run(["plexguard-proxy"], check=False)
    assert shown.returncode == 1 and "nobody is answered at the door" in shown.stdout
    other.terminate()
    other.wait(10)
    guarded.systemctl("restart", FRONT)
    guarded.wait_for(lambda: ask(guarded)[0] == 200, timeout_s=60, what="the door answers again")


def test_address_that_the_machine_does_not_have_yet_is_answered_at_when_it_has(guarded):
    configure(guarded, '[proxy]\nlisten = ["127.0.0.1:32401", "192.0.2.10:32401"]\n')
    assert "this machine does not have 192.0.2.10 now" in guarded.run(["plexguard-proxy", "check"]).stdout
    assert ask(guarded)[0] == 200
    guarded.run(["ip", "address", "add", "192.0.2.10/32", "dev", "lo"])
    asked = guarded.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://192.0.2.10:32401/identity"])
    assert asked.stdout == "200"
    assert "does not have" not in guarded.run(["plexguard-proxy"]).stdout


def test_breaker_that_is_killed_leaves_the_gate_to_haproxy_and_comes_back(guarded):
    guarded.systemctl("kill", "--signal=SIGKILL", BREAKER)
    guarded.wait_for(lambda: guarded.unit(BREAKER)["NRestarts"] == "1", timeout_s=20, what="the breaker comes back")
    assert ask(guarded)[0] == 200


@pytest.mark.parametrize("which", ["--kill-whom=main", "--kill-whom=all"])
def test_haproxy_that_is_killed_is_started_again_and_guarded_as_before(guarded, which):
    guarded.systemctl("kill", which, "--signal=SIGKILL", FRONT)
    guarded.wait_for(lambda: guarded.unit(FRONT)["NRestarts"] == "1", timeout_s=20, what="it is started again")
    guarded.wait_for(lambda: ask(guarded)[0] == 200, timeout_s=20, what="the door answers again")
    guarded.wait_for(lambda: show(guarded)["gate"] and show(guarded)["gate"]["is_held"], timeout_s=20, what="the breaker holds it")  # type: ignore[index]


def test_worker_that_crashes_is_replaced(guarded):
    _, worker = workers(guarded)
    guarded.run(["sh", "-c", f"kill -SEGV {worker}"])
    guarded.wait_for(lambda: guarded.unit(FRONT)["NRestarts"] == "1", timeout_s=20, what="it is started again")
    guarded.wait_for(lambda: ask(guarded)[0] == 200, timeout_s=20, what="the door answers again")


def test_pictures_that_are_killed_come_back_and_callers_notice_nothing(guarded):
    picture = find_picture(guarded)
    guarded.systemctl("kill", "--signal=SIGKILL", PICTURES)
    assert ask(guarded, picture, "-o", "/dev/null")[0] == 200
    guarded.wait_for(lambda: guarded.unit(PICTURES)["NRestarts"] == "1", timeout_s=20, what="it is started again")
    assert ask(guarded, picture, "-o", "/dev/null")[0] == 200


def test_door_that_is_stopped_with_all_is_shut(guarded):
    guarded.systemctl("stop", "plexguard.target")
    guarded.wait_for(lambda: workers(guarded) == [], timeout_s=20, what="no HAProxy of ours is left")
    assert events(guarded, "proxy.unreachable") == []


def test_machine_without_plex_is_told_nothing_of_it(machine):
    machine.wait_for(lambda: show(machine)["phase"] == "half-open", timeout_s=60, what="the breaker has looked")
    assert ask(machine)[0] == 503
    ours = [e["MESSAGE"] for e in machine.journal(matches=["PRIORITY=4", "PRIORITY=3"]) if "proxy" in e.get("_SYSTEMD_UNIT", "")]
    assert ours == []


def test_door_that_is_switched_off_is_gone_without_a_word(guarded):
    pictures = guarded.unit(PICTURES)["MainPID"]
    guarded.systemctl("restart", FRONT)
    guarded.wait_for(lambda: ask(guarded)[0] == 200, timeout_s=30, what="the door answers")
    # Only who is of no use any more is stopped.
    assert guarded.unit(PICTURES)["MainPID"] == pictures
    guarded.systemctl("disable", "--now", FRONT)
    guarded.wait_for(
        lambda: {guarded.unit(unit)["ActiveState"] for unit in (BREAKER, PICTURES)} == {"inactive"},
        timeout_s=20,
        what="nothing of the door is left",
    )
    shown = json.loads(guarded.run(["plexguard-status", "--format", "json"], check=False).stdout)
    (door,) = [thing for thing in shown["things"] if thing["name"] == "proxy"]
    assert (door["state"], shown["plex"]["breaker"]) == ("off", None)
    assert events(guarded, "proxy.unreachable") == []
    assert_clean_journal(guarded)


def test_overview_and_metrics_tell_a_drill_and_an_outage_apart(guarded):
    def seen() -> tuple[str, str, list[str]]:
        shown = json.loads(guarded.run(["plexguard-status", "--format", "json"], check=False).stdout)
        (door,) = [thing for thing in shown["things"] if thing["name"] == "proxy"]
        return door["state"], shown["plex"]["breaker"]["state"], [one["text"] for one in shown["problems"] if "door" in one["text"]]

    def metrics() -> str:
        return guarded.run(["curl", "-sS", "http://127.0.0.1:32480/metrics"]).stdout

    def health() -> dict[str, Any]:
        return dict(json.loads(guarded.run(["curl", "-sS", "http://127.0.0.1:32480/api/v1/health/plex"]).stdout))

    guarded.wait_for(lambda: seen()[:2] == ("well", "closed"), timeout_s=30, what="the door is well")
    guarded.wait_for(lambda: health()["healthy"], timeout_s=90, what="all is well")
    assert 'plexguard_proxy_breaker_state{state="closed"} 1.0' in metrics()
    opens = int(str(show(guarded)["opens"]))
    guarded.run(["plexguard-proxy", "drain"])
    await_phase(guarded, "open")
    assert seen() == ("off", "open", [])
    guarded.wait_for(
        lambda: 'plexguard_proxy_open_info{reason="maintenance",trigger="drain"} 1.0' in metrics(),
        timeout_s=20,
        what="it is measured",
    )
    drained = health()
    assert (drained["healthy"], drained["breaker"]["trigger"], drained["breaker"]["opens"]) == (True, "drain", opens + 1), drained
    guarded.run(["plexguard-proxy", "ready"])
    await_phase(guarded, "closed")


def test_door_that_is_where_plex_is_does_not_start_and_is_told_by_check_config(guarded):
    guarded.write("/etc/plexguard/plexguard.toml.d/50-test.toml", '[proxy]\nlisten = ["127.0.0.1:32400"]\n')
    checked = guarded.run(["plexguard-status", "check-config"], check=False)
    assert checked.returncode == 1 and "[proxy] listen: found 127.0.0.1:32400, where Plex itself answers" in checked.stdout
    assert guarded.run(["systemctl", "reload", FRONT], check=False).returncode != 0
    assert ask(guarded)[0] == 200
    guarded.run(["systemctl", "restart", FRONT], check=False)
    assert guarded.unit(FRONT).get("MainPID", "0") == "0"
    assert "where Plex itself answers" in guarded.journal_text("-u", FRONT)
