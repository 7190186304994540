"""What is looked at before a mount is made, and what rclone is then given."""

import base64
import hashlib
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from plexguard.core.found import FoundContainer, FoundPlex, Server
from plexguard.core.host import CommandMissing, Completed
from plexguard.rclone_watchdog.asking.kernel import MountLine
from plexguard.rclone_watchdog.asking.rc import RcAddress
from plexguard.rclone_watchdog.config import Mount
from plexguard.rclone_watchdog.mounting import prepare
from plexguard.rclone_watchdog.mounting.prepare import Control, NotReady, Places

MOUNT = Mount(remote="films:media", mount_point="/mnt/media").resolve()
STORAGES = """\
# of rclone config
[films]
type = s3
secret_access_key = very-secret
endpoint = https://[2001:db8::1]

 [plain]
type: webdav
[ odd name ]
user = type
"""


class Rclone:
    """A host whose only command is rclone."""

    def __init__(self, stdout: str = "", *, code: int = 0, stderr: str = "", is_missing: bool = False) -> None:
        self.asked: list[list[str]] = []
        self._done, self._is_missing = Completed(code=code, stdout=stdout, stderr=stderr), is_missing

    def run(self, argv, *, timeout_s, check=True):
        self.asked.append(list(argv))
        if self._is_missing:
            raise CommandMissing("Failed to run rclone: No such file or directory")
        return self._done


def test_version_is_asked_of_the_rclone_that_is_configured():
    host = Rclone("rclone v1.60.1-DEV\n")

    assert prepare.read_version("/opt/rclone", host) == (1, 60, 1)
    assert host.asked == [["/opt/rclone", "version"]]


@pytest.mark.parametrize(
    ("host", "told"),
    [
        (Rclone(is_missing=True), "apt-get install rclone fuse3"),
        (Rclone("something else"), "/opt/rclone version"),
        (Rclone("rclone v1.53.3\n"), "apt-get install rclone"),
    ],
    ids=["missing", "another program", "too old"],
)
def test_rclone_that_cannot_be_used_is_told_with_what_to_type(host, told):
    with pytest.raises(NotReady) as caught:
        prepare.read_version("/opt/rclone", host)
    assert caught.value.hint == told
    assert caught.value.exit_code == os.EX_CONFIG


@pytest.mark.parametrize(
    ("text", "allows"),
    [
        ("user_allow_other\n", True),
        ("# comment\n  user_allow_other  \nmount_max = 10\n", True),
        ("#user_allow_other\n", False),
        ("user_allow_others\n", False),
        ("", False),
    ],
)
def test_fuse_conf_says_whether_others_may_look(text, allows):
    assert prepare.allows_others(text) is allows


def test_each_thing_that_fuse_needs_is_told_when_it_is_missing(tmp_path):
    conf, device, helper = tmp_path / "fuse.conf", tmp_path / "fuse", tmp_path / "fusermount3"
    hints = []
    for repair in (
        lambda: (helper.touch(), helper.chmod(0o755)),
        device.touch,
        lambda: conf.write_text("user_allow_other\n"),
    ):
        with pytest.raises(NotReady) as caught:
            prepare.check_fuse(995, conf=conf, device=device, helpers=(str(helper),))
        hints.append(caught.value.hint)
        repair()
    prepare.check_fuse(995, conf=conf, device=device, helpers=(str(helper),))

    assert hints == ["apt-get install fuse3", "modprobe fuse", f"echo user_allow_other >> {conf}"]


def give(monkeypatch, tmp_path: Path, **texts: str) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for name, text in texts.items():
        (tmp_path / name.replace("_", ".")).write_text(text, encoding="utf-8")


def test_configuration_of_its_own_wins(monkeypatch, tmp_path):
    give(monkeypatch, tmp_path, rclone_conf="[all]", rclone_mount_conf="[own]")
    assert prepare.read_storages("media", MOUNT) == "[own]"


def test_configuration_of_all_serves_who_has_none(monkeypatch, tmp_path):
    give(monkeypatch, tmp_path, rclone_conf="[all]", rclone_mount_conf="none")
    assert prepare.read_storages("media", MOUNT) == "[all]"


def test_missing_configuration_is_told_with_its_place(monkeypatch, tmp_path):
    give(monkeypatch, tmp_path, rclone_conf="none", rclone_mount_conf="none")
    with pytest.raises(NotReady) as caught:
        prepare.read_storages("media", MOUNT)
    assert "/etc/plexguard/credentials/rclone.conf" in caught.value.hint


def test_storage_that_is_named_by_its_type_needs_no_configuration(monkeypatch, tmp_path):
    give(monkeypatch, tmp_path, rclone_conf="none", rclone_mount_conf="none")
    mount = replace(MOUNT, remote=":http,url='http://192.0.2.1/':")

    assert prepare.read_storages("media", mount) == ""
    assert prepare.find_kind("", mount) == ""


def test_configuration_with_a_password_is_refused(monkeypatch, tmp_path):
    give(monkeypatch, tmp_path, rclone_conf="# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabc\n")
    with pytest.raises(NotReady, match="encrypted"):
        prepare.read_storages("media", MOUNT)


def test_only_names_and_types_are_read_of_the_configuration():
    assert prepare.read_kinds(STORAGES) == {"films": "s3", "plain": "webdav", " odd name ": ""}


@pytest.mark.parametrize(
    ("remote", "kind"), [("films:media", "s3"), ("films,no_check_bucket=true:media", "s3"), ("plain:", "webdav")]
)
def test_type_of_the_storage_is_known(remote, kind):
    assert prepare.find_kind(STORAGES, replace(MOUNT, remote=remote)) == kind


def test_storage_that_the_configuration_does_not_know_is_told_without_its_secrets():
    with pytest.raises(NotReady) as caught:
        prepare.find_kind(STORAGES, replace(MOUNT, remote="movies:media"))
    assert "films, plain" in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_flags_that_rclone_does_not_take_are_told_in_its_words():
    host = Rclone(
        code=1, stderr="Error: unknown flag: --no-such\nUsage:\n  rclone mount\n2026/11/22 Fatal error: unknown flag: --no-such\n"
    )
    with pytest.raises(NotReady, match=r"unknown flag: --no-such$"):
        prepare.check_flags("rclone", replace(MOUNT, extra_flags=("--no-such",)), host)


def test_rclone_is_not_asked_about_no_flags():
    host = Rclone(code=1)
    prepare.check_flags("rclone", MOUNT, host)
    assert host.asked == []


def test_mount_point_that_is_taken_is_not_looked_at():
    line = MountLine(number=1, device="0:40", path="/nonexistent", type="fuse.rclone", source="s3:old")
    with pytest.raises(NotReady, match=r"s3:old \(fuse.rclone\) is still mounted there"):
        prepare.check_folder("/nonexistent", 995, (line,))


def test_mount_point_must_be_a_folder_of_who_mounts(tmp_path):
    (tmp_path / "file").touch()
    owner = tmp_path.stat().st_uid
    prepare.check_folder(str(tmp_path), owner, ())
    for path, uid, told in (
        (tmp_path / "nowhere", owner, "cannot come there"),
        (tmp_path / "file", owner, "no folder"),
        (tmp_path, owner + 1, "holds files"),
    ):
        with pytest.raises(NotReady, match=told):
            prepare.check_folder(str(path), uid, ())


@pytest.mark.parametrize(
    ("mount", "plex", "container", "owner"),
    [
        (replace(MOUNT, uid=0, gid=5), FoundPlex(server=Server.UNIT, uid=997, gids=(996,)), None, (0, 5)),
        (MOUNT, FoundPlex(server=Server.UNIT, uid=997, gids=(996, 44)), None, (997, 996)),
        (replace(MOUNT, gid=7), FoundPlex(server=Server.UNIT, uid=997, gids=(996,)), None, (997, 7)),
        (MOUNT, FoundPlex(server=Server.CONTAINER), FoundContainer(name="plex", uid=1234, gid=1235), (1234, 1235)),
    ],
    ids=["given", "found", "one given", "container"],
)
def test_files_seem_those_of_plex(mount, plex, container, owner):
    assert prepare.find_owner(mount, plex, container) == owner


def test_files_seem_those_of_the_usual_user_where_plex_is_not_known(monkeypatch):
    monkeypatch.setattr("pwd.getpwnam", lambda name: {}[name])
    assert prepare.find_owner(MOUNT, None, None) == (1000, 1000)


def places(tmp_path: Path) -> Places:
    return Places(runtime=tmp_path, cache=tmp_path / "cache")


def test_remote_control_is_a_socket_where_rclone_can(tmp_path):
    new, old = (Control.make(version, places(tmp_path)) for version in ((1, 61, 0), (1, 60, 1)))

    assert new.url == new.address == f"unix://{tmp_path}/rc.sock"
    assert old.url == f"http://{old.address}" and old.address.startswith("127.0.0.1:")
    assert new.password.reveal() != old.password.reveal() and len(new.password.reveal()) >= 40


def test_password_is_in_no_argument_and_no_variable(tmp_path):
    control = Control.make((1, 60, 1), places(tmp_path))
    command = prepare.make_command(MOUNT, (1, 60, 1), control, places(tmp_path), program="rclone", owner=(1, 2))
    environment = prepare.make_environment({"RCLONE_CONFIG_PASS": "x", "AWS_CA_BUNDLE": "y"}, (1, 60, 1))

    assert control.password.reveal() not in " ".join([*command, *environment.values()])
    assert set(environment) == {"PATH", "HOME", "LANG"}
    assert command[-3:] == ["--", "films:media", "/mnt/media"]


def test_files_are_for_their_user_alone_and_say_how_rclone_is_asked(tmp_path):
    control = Control.make((1, 60, 1), places(tmp_path))
    prepare.write_files(places(tmp_path), control, STORAGES, program="/opt/rclone", mount=MOUNT, kind="s3", version=(1, 60, 1))

    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    address = RcAddress.from_json((tmp_path / "rc.json").read_text())
    assert (address.url, address.pid, address.remote, address.program) == (control.url, os.getpid(), "films:media", "/opt/rclone")
    user, _, digest = (tmp_path / "htpasswd").read_text().strip().partition(":")
    assert user == address.user
    assert base64.b64decode(digest.removeprefix("{SHA}")) == hashlib.sha1(address.password.reveal().encode()).digest()
    assert (tmp_path / "rclone.conf").read_text() == f"{STORAGES}\n"
    assert json.loads((tmp_path / "rc.json").read_text())["version"] == "1.60.1"


@pytest.mark.parametrize(
    ("values", "kind", "signs"),
    [
        ({}, "s3", True),
        ({"remote": ":s3,env_auth=true:media"}, "", True),
        # Of others such an address is public, and what lies over S3 signs what is below it.
        ({}, "drive", False),
        ({}, "crypt", False),
        ({"remote": ":sftp:media"}, "", False),
        ({"log_level": "DEBUG"}, "s3", False),
    ],
    ids=["S3", "S3 by its type", "public", "over S3", "another by its type", "logs its answers"],
)
def test_only_of_s3_are_addresses_signed_and_not_where_they_would_be_logged(values, kind, signs, tmp_path):
    mount, control = replace(MOUNT, **values), Control.make((1, 60, 1), places(tmp_path))
    prepare.write_files(places(tmp_path), control, STORAGES, program="/opt/rclone", mount=mount, kind=kind, version=(1, 60, 1))
    assert RcAddress.from_json((tmp_path / "rc.json").read_text()).signs is signs


def test_way_to_the_journal_and_the_network_is_passed_on_and_nothing_else():
    outer = {
        "NOTIFY_SOCKET": "/n",
        "JOURNAL_STREAM": "9:1",
        "INVOCATION_ID": "i",
        "https_proxy": "p",
        "LD_PRELOAD": "x",
        "HOME": "/root",
    }

    kept = prepare.make_environment(outer, (1, 75, 2))

    assert kept == {
        **{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"},
        **{"NOTIFY_SOCKET": "/n", "JOURNAL_STREAM": "9:1", "INVOCATION_ID": "i", "https_proxy": "p"},
    }
    # By it alone some rclones log for systemd, which blocks these.
    assert "INVOCATION_ID" not in prepare.make_environment(outer, (1, 70, 1))


def test_cache_that_cannot_be_written_to_is_told_with_what_to_type(tmp_path):
    prepare.check_cache(tmp_path)
    with pytest.raises(NotReady) as caught:
        prepare.check_cache(tmp_path / "nowhere")
    assert caught.value.hint.startswith("install -d -o plexguard-media")
