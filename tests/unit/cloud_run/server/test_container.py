"""Plex's container, in words for Docker, and Docker's own words."""

import json
from dataclasses import replace

import pytest

from plexguard.cloud_run.choosing.profiles import Limits
from plexguard.cloud_run.server import container
from plexguard.cloud_run.server.container import Look, Wanted
from plexguard.core.errors import PeerError
from plexguard.core.plex import Identity
from tests.unit.cloud_run.samples import GIB, LABEL, labelled

LIMITS = Limits(memory_bytes=24 * GIB, memory_swap_bytes=26 * GIB, cpus=8)
WANTED = Wanted(image="plexinc/pms-docker:latest", label=LABEL, limits=LIMITS, zone="Europe/Paris")
PLEX = Identity(machine_identifier="a" * 40, version="1.43.4.10903-e5521bd8c", claimed=True)
READY = Look(status="running", identity=PLEX, processes=4)


def test_container_is_started_as_the_image_documents_it_and_within_its_limits():
    argv = container.start_argv(WANTED)

    assert argv[:3] == ["docker", "run", "--detach"] and argv[-1] == WANTED.image
    assert {f"--memory={24 * GIB}", f"--memory-swap={26 * GIB}", "--cpus=8", "--restart=unless-stopped"} <= set(argv)
    assert {"--env=TZ=Europe/Paris", "--env=PLEX_UID=1000", "--env=PLEX_GID=1000"} <= set(argv)
    assert "--publish=127.0.0.1:32440:32400" in argv
    assert "--mount=type=bind,source=/Media,target=/Media,readonly,bind-propagation=rslave" in argv
    assert not any("claim" in word for word in argv)


def test_claim_goes_in_as_a_folder_and_as_the_name_of_a_file():
    argv = container.start_argv(replace(WANTED, claim_folder="/run/x", limits=None))

    assert "--volume=/run/x:/claim:ro" in argv and "--env=PLEX_CLAIM_FILE=/claim/token" in argv
    assert not any(word.startswith(("--env=PLEX_CLAIM=", "--memory", "--cpus")) for word in argv)


@pytest.mark.parametrize(
    ("named", "version", "image"),
    [
        ("", "", "plexinc/pms-docker:latest"),
        ("", "1.43.4.10903-e5521bd8c", "plexinc/pms-docker:1.43.4.10903-e5521bd8c"),
        ("", "1.43; rm -rf /", "plexinc/pms-docker:latest"),
        ("me/plex:1", "1.43.4.10903-e5521bd8c", "me/plex:1"),
    ],
    ids=["no Plex at home", "as at home", "a liar at home", "as the file says"],
)
def test_image_is_as_old_as_plex_at_home(named, version, image):
    assert container.choose_image(named, version) == image


def test_what_earlier_runs_of_the_name_left_is_tidied_and_nothing_else():
    argv = container.tidy_argv("i", LABEL)

    assert argv[argv.index("-name") + 1] == "plexguard.home.delta.*"
    assert argv[argv.index("!") + 2] == LABEL.name
    assert "--one-file-system" in argv


@pytest.mark.parametrize(
    ("said", "words", "hint"),
    [
        ("docker: Error response from daemon: NanoCPUs can not be set, as your kernel ...", "cannot limit", "limited = false"),
        ("driver failed: Bind for 127.0.0.1:32440 failed: port is already allocated.", "port 32440", "ss --listening"),
        ("invalid mount config for type: bind source path does not exist: /Media", "media are not there", "storage"),
        ("manifest for plexinc/pms-docker:9 not found: manifest unknown: manifest unknown", "no such image", "another image"),
        ("Got permission denied while trying to connect to the Docker daemon socket", "may not be asked", "group docker"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "does not run", "systemctl"),
        ("write /var/lib/docker/tmp/x: no space left on device", "disk there is full", "larger disk"),
    ],
)
def test_refusal_is_told_in_words_and_in_dockers_own(said, words, hint):
    error = container.interpret_refusal("Failed to start", said)

    assert words in str(error) and said in str(error)
    assert hint in error.hint


def test_refusal_that_nobody_knows_is_told_as_it_is():
    error = container.interpret_refusal("Failed to start", "one\ntwo\nthree\nfour\n")

    assert (str(error), error.hint) == ("Failed to start: two / three / four", "")


def test_container_is_known_by_its_lease():
    ours = container.parse_found(json.dumps(["running", {"org.plexguard.lease": LABEL.name}, "i"]))
    other = container.parse_found('["running", null, "i"]')

    assert (ours.status, ours.label, other.label) == ("running", LABEL, None)
    assert labelled(hours=97).name != LABEL.name
    with pytest.raises(PeerError):
        container.parse_found("<html>")


@pytest.mark.parametrize(
    ("look", "lacks"),
    [
        (READY, ""),
        (replace(READY, status="restarting"), "is restarting"),
        (replace(READY, identity=None, why="503: Maintenance"), "Maintenance"),
        (replace(READY, processes=2), "2 processes"),
        (replace(READY, identity=replace(PLEX, claimed=False)), "no account"),
    ],
)
def test_container_is_ready_when_it_lacks_nothing(look, lacks):
    found = container.find_lacking(look, is_claimed=True)

    assert (lacks in found) and bool(found) is bool(lacks)


def test_server_that_needs_no_account_is_ready_without_one():
    assert container.find_lacking(replace(READY, identity=replace(PLEX, claimed=False)), is_claimed=False) == ""


def test_identity_is_read_as_curl_gives_it():
    body = '{"MediaContainer":{"size":0,"claimed":false,"machineIdentifier":"e004","version":"1.43"}}\n'

    identity, why = container.read_identity(0, body + "200")

    assert why == "" and identity is not None and (identity.machine_identifier, identity.claimed) == ("e004", False)
    assert container.read_identity(7, "\n000") == (None, "Plex does not answer yet")
    assert container.read_identity(0, "<html>\n200")[0] is None
    assert "aintenance" in container.read_identity(0, "<h1>Maintenance</h1>\n503")[1]


def test_processes_of_plex_are_counted_by_name():
    assert container.count_processes("s6-svscan\nPlex Media Serv\nPlex Script Hos\nplexiglas\n") == 2


@pytest.mark.parametrize(
    ("code", "stderr", "has"), [(0, "", True), (1, "", False), (2, "grep: x: No such file or directory", False)]
)
def test_identity_of_a_server_is_a_token_in_its_preferences(code, stderr, has):
    assert container.interpret_identity(code, stderr) is has


def test_identity_that_cannot_be_told_is_none_of_both():
    with pytest.raises(container.EngineRefused):
        container.interpret_identity(125, "docker: Cannot connect to the Docker daemon")
