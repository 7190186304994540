"""Plex's container on the run's machine: how it is started, what Docker says of it, and when it is ready. Pure."""

import json
import re
from dataclasses import dataclass

from plexguard.cloud_run.choosing.profiles import Limits
from plexguard.cloud_run.rent.labels import Label, read_label
from plexguard.core.errors import PeerError, SystemRefused
from plexguard.core.found import LEASE_LABEL
from plexguard.core.plex import Identity, PlexError
from plexguard.core.plex_answers import interpret_answer

# Neither the name nor the port of a Plex at home, beside which it runs where the machine is home's own.
NAME = "plexguard-run"
PORT = 32440
URL = f"http://127.0.0.1:{PORT}"
OFFICIAL = "plexinc/pms-docker"
# Where the data of runs are, on the run's machine; a folder for each lease, named like all that the lease has.
ROOT = "/var/lib/plexguard-run"
MEDIA = "/Media"
# Whom Plex runs as, and the mount below it: a container's own user 1000 is the one that every image has.
UID = GID = 1000
# In the container. A folder and not the file: then the token is gone when the file is, and a container that starts again after a
# reboot misses nothing. The image reads the file when there is no PLEX_CLAIM (plexinc/pms-docker#79, of February 2023).
_CLAIM_FOLDER = "/claim"
CLAIM_FILE = "token"
# Where Docker's own networks are, from which the machine itself comes: a server without an account takes it for a stranger, and has
# no token to ask for. Written as Plex is known to read it.
_BRIDGES = "172.16.0.0/255.240.0.0"
_PROCESSES = 3
_TAG = re.compile(r"[0-9]+(?:\.[0-9]+){2,4}-[0-9a-f]{6,12}", re.ASCII)

INSPECT = (
    *("docker", "container", "inspect"),
    *("--format=[{{json .State.Status}}, {{json .Config.Labels}}, {{json .Config.Image}}]", "--", NAME),
)
# Within the container: from outside, an unclaimed Plex takes the machine itself for a stranger.
IDENTITY = (
    *("docker", "exec", NAME, "curl", "--silent", "--max-time", "10", "--header", "Accept: application/json"),
    *("--write-out", r"\n%{http_code}", "http://127.0.0.1:32400/identity"),
)
# Not `docker top`, which needs a ps(1) on the machine. One that ends meanwhile is no process any more.
PROCESSES = ("docker", "exec", NAME, "find", "/proc", "-maxdepth", "2", "-name", "comm", "-exec", "cat", "{}", "+")


class EngineRefused(SystemRefused):
    """Docker did not do what it was asked."""


class NoEngine(EngineRefused):
    """There is no Docker."""

    hint = "apt install docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A container. label: of the lease. limits: None for none. zone: of the time, "" for UTC. claim_folder: on the machine, with
    CLAIM_FILE in it; "" for a server that needs no claim. is_open: it belongs to nobody, and lets in who is on that machine."""

    image: str
    label: Label
    limits: Limits | None
    zone: str = ""
    media: str = MEDIA
    claim_folder: str = ""
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A container that is there. status: Docker's word. label: of the lease that it was started for, None for one of others."""

    status: str
    label: Label | None
    image: str


def data_folder(label: Label) -> str:
    """Return where the data of a lease are on its machine."""
    return f"{ROOT}/{label.name}"


def config_folder(label: Label) -> str:
    """Return what the container has as /config."""
    return f"{data_folder(label)}/config"


def choose_image(named: str, version: str) -> str:
    """Return the image of a run. named: in its file. version: of Plex at home, "" when there is none: a newer one would change the
    database so that home could not open it any more."""
    return named or f"{OFFICIAL}:{version if _TAG.fullmatch(version) else 'latest'}"


def start_argv(wanted: Wanted) -> list[str]:
    """Return the command that starts the container. It holds no secret."""
    limits, folder = wanted.limits, data_folder(wanted.label)
    return [
        *("docker", "run", "--detach", "--pull=never", f"--name={NAME}", "--restart=unless-stopped"),
        *(f"--label={LEASE_LABEL}={wanted.label.name}", f"--hostname=plexguard-{wanted.label.run}"),
        *(_limit_words(limits) if limits is not None else ()),
        # Nobody but who is on that machine.
        f"--publish=127.0.0.1:{PORT}:32400",
        *(f"--env={name}={value}" for name, value in _environment(wanted).items()),
        f"--volume={folder}/config:/config",
        f"--volume={folder}/transcode:/transcode",
        # Not --volume, which would make an empty folder where there is none: to Plex, a library that has lost everything.
        *((f"--mount=type=bind,source={wanted.media},target={MEDIA},readonly,bind-propagation=rslave",) if wanted.media else ()),
        *((f"--volume={wanted.claim_folder}:{_CLAIM_FOLDER}:ro",) if wanted.claim_folder else ()),
        wanted.image,
    ]


def _limit_words(limits: Limits) -> tuple[str, ...]:
    return f"--memory={limits.memory_bytes}", f"--memory-swap={limits.memory_swap_bytes}", f"--cpus={limits.cpus}"


def _environment(wanted: Wanted) -> dict[str, str]:
    claim = {"PLEX_CLAIM_FILE": f"{_CLAIM_FOLDER}/{CLAIM_FILE}"} if wanted.claim_folder else {}
    nobodys = {"ALLOWED_NETWORKS": _BRIDGES} if wanted.is_open else {}
    return {"TZ": wanted.zone or "UTC", "PLEX_UID": str(UID), "PLEX_GID": str(GID), **claim, **nobodys}


def helper_argv(image: str, program: str, *arguments: str) -> list[str]:
    """Return the command that has the engine run a program of the image over ROOT, which is /runs there: the same for a machine
    that is entered as root and for this one, on which whoever does it is nobody."""
    return [
        *("docker", "run", "--rm", "--pull=never", "--network=none", "--user=0:0", f"--volume={ROOT}:/runs"),
        *(f"--entrypoint={program}", image, *arguments),
    ]


def folders_argv(image: str, label: Label) -> list[str]:
    """Return the command that makes the folders of a lease, as Plex's user's; what is there already stays."""
    folders = (f"/runs/{label.name}/{name}" for name in ("config", "transcode"))
    return helper_argv(image, "/usr/bin/install", "-d", f"--owner={UID}", f"--group={GID}", "--mode=0755", *folders)


def identity_argv(image: str, label: Label) -> list[str]:
    """Return the command that ends with 0 when the server of a lease belongs to an account already, with 1 or 2 when not. It is for
    the engine, since Preferences.xml is for Plex's user alone; what it says of the account is not read."""
    file = f"/runs/{label.name}/config/Library/Application Support/Plex Media Server/Preferences.xml"
    return helper_argv(image, "/bin/grep", "-q", 'PlexOnlineToken="[^"]', file)


def interpret_identity(code: int, stderr: str) -> bool:
    """Return what identity_argv has found. Raises EngineRefused when that cannot be told."""
    if code == 0:
        return True
    if code == 1 or (code == 2 and "No such file" in stderr):
        return False
    raise interpret_refusal("Failed to look whom Plex belongs to", stderr)


def tidy_argv(image: str, label: Label) -> list[str]:
    """Return the command that removes what earlier runs of the name have left, on a machine that is not given back."""
    earlier = label.name.rpartition(".")[0] + ".*"
    where = ("/runs", "-mindepth", "1", "-maxdepth", "1", "-name", earlier, "!", "-name", label.name)
    return helper_argv(image, "/usr/bin/find", *where, "-exec", "/bin/rm", "-rf", "--one-file-system", "--", "{}", "+")


def parse_found(text: str) -> Found:
    """Return the container in an answer to INSPECT. Raises PeerError."""
    try:
        status, labels, image = json.loads(text)
        lease = (labels or {}).get(LEASE_LABEL, "")
        return Found(status=str(status), label=read_label((), str(lease)), image=str(image))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PeerError(f"docker inspect: not as Docker writes it: {error}") from error


# What Docker says, in small letters, what it means, and what is to be done.
_REFUSALS = (
    (
        re.compile(r"nanocpus|cpu cfs|memory limit|swap limit|cgroup"),
        "the engine there cannot limit a container",
        "set limited = false in the run's file",
    ),
    (
        re.compile(r"port is already allocated|address already in use"),
        f"something else has port {PORT} there",
        f"ss --listening --tcp --processes 'sport = {PORT}', there",
    ),
    (re.compile(r"bind source path does not exist"), "the media are not there", "see whether the storage is mounted there"),
    (re.compile(r"permission denied.*docker"), "it may not be asked", "docker is for root and the group docker"),
    (
        re.compile(r"cannot connect to the docker daemon|failed to connect to the docker"),
        "it does not run",
        "systemctl status docker",
    ),
    (
        re.compile(r"manifest (?:unknown|for)|no such manifest|repository does not exist|pull access denied|no such image"),
        "there is no such image",
        "name another image in the run's file",
    ),
    (re.compile(r"no space left on device"), "the disk there is full", "choose a larger disk in the run's file"),
)


def interpret_refusal(what: str, said: str) -> EngineRefused:
    """Return what it means that Docker refused. what: was to be done. said: the last of its own words."""
    words = " / ".join(said.strip().splitlines()[-3:]) or "no word"
    for pattern, meaning, hint in _REFUSALS:
        if pattern.search(said.lower()):
            return EngineRefused(f"{what}: {meaning}: {words}", hint=hint)
    return EngineRefused(f"{what}: {words}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the container is. status: Docker's word. identity: of the Plex in it, None while it does not answer, and why that is so.
    processes: of Plex."""

    status: str
    identity: Identity | None = None
    why: str = ""
    processes: int = 0


def read_identity(code: int, stdout: str) -> tuple[Identity | None, str]:
    """Return what IDENTITY has answered, or None and why it has not."""
    body, _, status = stdout.rpartition("\n")
    if code != 0 or not status.isdecimal():
        return None, "Plex does not answer yet"
    try:
        root = interpret_answer("/identity", int(status), "application/json", body.encode())
    except PlexError as error:
        return None, str(error)
    identifier = root.text("machineIdentifier")
    if not identifier:
        return None, "/identity: no machineIdentifier"
    return Identity(machine_identifier=identifier, version=root.text("version"), claimed=root.flag("claimed")), ""


def count_processes(stdout: str) -> int:
    """Return how many of the processes in an answer to PROCESSES are Plex's, by their names ("Plex Media Serv")."""
    return sum(name.startswith("Plex ") for name in stdout.splitlines())


def find_lacking(look: Look, *, is_claimed: bool) -> str:
    """Return what a container lacks to be ready, "" when it is. is_claimed: it has to belong to an account."""
    if look.status != "running":
        return f"the container is {look.status}"
    if look.identity is None:
        return look.why
    if look.processes < _PROCESSES:
        return f"{look.processes} processes of Plex run, and {_PROCESSES} should"
    return "Plex belongs to no account" if is_unclaimed(look, is_claimed=is_claimed) else ""


def is_unclaimed(look: Look, *, is_claimed: bool) -> bool:
    """Tell whether Plex is up, and has not taken the claim token that it was given."""
    return is_claimed and look.identity is not None and not look.identity.claimed
