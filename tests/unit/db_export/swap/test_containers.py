"""What a process runs in, and which containers are about to run."""

from pathlib import Path

import pytest

from plexguard.core.host import CommandFailed, Completed
from plexguard.db_export.swap.containers import Holder, find_holder, find_restarting, may_have
from tests.fakes.ports import FakeHost

ID = "e5f5d03e194f47d652fc5aa06d9f9d4ca4f1b8d66317c8deb602ddafbc08985f"
FOLDER = Path("/srv/plex/config/Library/Application Support/Plex Media Server")


@pytest.mark.parametrize(
    "cgroup",
    [f"8:pids:/\n0::/system.slice/docker-{ID}.scope\n", f"1:name=systemd:/docker/{ID}\n0::/\n"],
    ids=["the manager's", "Docker's own, version 1"],
)
def test_container_of_a_process_is_named(cgroup):
    host = FakeHost({"docker container inspect --format={{.Name}}": Completed(code=0, stdout="/media-plex-1\n", stderr="")})

    assert find_holder(host, cgroup) == Holder(name="container media-plex-1", stop="docker stop media-plex-1")
    assert host.ran[0][-1] == ID


def test_container_that_is_not_docker_s_has_a_number():
    assert find_holder(FakeHost(), f"0::/machine.slice/libpod-{ID}.scope\n") == Holder(
        name="container e5f5d03e194f", stop="stop container e5f5d03e194f"
    )


@pytest.mark.parametrize(
    ("cgroup", "unit"),
    [
        ("0::/system.slice/plexmediaserver.service\n", "plexmediaserver.service"),
        ("0::/system.slice/system-plex.slice/plex@one.service/below\n", "plex@one.service"),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/plex.service\n", None),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
        ("", None),
    ],
)
def test_unit_of_a_process_is_named(cgroup, unit):
    found = find_holder(FakeHost(), cgroup)
    assert found == (Holder(name=unit, stop=f"systemctl stop {unit}") if unit else None)


@pytest.mark.parametrize(
    ("mounts", "has"),
    [
        ("/srv/plex/config", True),
        ("/srv/films,/srv/plex", True),
        (str(FOLDER), True),
        ("/srv/plex/config2,/srv/pl", False),
        ("", False),
    ],
)
def test_a_mount_leads_to_a_folder_by_whole_names(mounts, has):
    assert may_have(mounts, FOLDER) is has


def test_a_volume_lies_where_docker_keeps_them():
    assert may_have("plex-config", Path("/var/lib/docker/volumes/plex-config/_data/Library"))


def test_container_that_docker_starts_again_is_found_by_its_folder():
    printed = '["other", "/srv/other"]\n["odd", "/srv/films,/srv/plex/config"]\n'
    host = FakeHost({"docker ps --all --no-trunc --filter=status=restarting": Completed(code=0, stdout=printed, stderr="")})

    assert find_restarting(host, FOLDER) == "odd"
    assert find_restarting(host, Path("/srv/elsewhere")) == ""


def test_docker_that_does_not_answer_is_an_error():
    with pytest.raises(CommandFailed):
        find_restarting(FakeHost({"docker ps": Completed(code=1, stdout="", stderr="permission denied")}), FOLDER)
