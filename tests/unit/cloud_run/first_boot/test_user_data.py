import json
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from plexguard.cloud_run.first_boot.user_data import PACKAGES, TIMER, Ready, Told, make_user_data, read_ready
from plexguard.core.errors import DataError, PeerError
from tests.unit.cloud_run.samples import DEADLINE

TOLD = Told(
    host_private="-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    host_public="ssh-ed25519 AAAAhost plexguard-delta\n",
    client_public="ssh-ed25519 AAAAclient plexguard-delta\n",
    deadline=DEADLINE,
    image="plexinc/pms-docker:latest",
)
# What the schema of cloud-init 22.4, which is Debian's, lets pass when misspelt.
KEYS = {
    *("bootcmd", "disable_root", "package_update", "package_upgrade", "packages", "ssh_authorized_keys", "ssh_keys", "ssh_pwauth"),
    "write_files",
}


def read(told: Told = TOLD) -> dict[str, Any]:
    first, _, rest = make_user_data(told).partition(b"\n")
    assert first == b"#cloud-config"
    values: dict[str, Any] = json.loads(rest)
    return values


def scripts(told: Told = TOLD) -> list[str]:
    values = read(told)
    return [values["bootcmd"][0][2], values["write_files"][-1]["content"]]


def test_user_data_is_small_and_has_no_key_that_cloud_init_does_not_know() -> None:
    assert set(read()) == KEYS
    assert len(make_user_data(TOLD)) < 8000


def test_who_the_machine_is_and_who_may_come_in_is_known_beforehand() -> None:
    values = read()

    assert values["ssh_keys"] == {"ed25519_private": TOLD.host_private, "ed25519_public": TOLD.host_public}
    assert values["ssh_authorized_keys"] == ["ssh-ed25519 AAAAclient plexguard-delta"]
    assert (values["disable_root"], values["ssh_pwauth"]) == (False, False)


def test_the_end_is_armed_before_anything_else_and_at_a_point_in_time() -> None:
    arming = read()["bootcmd"]

    assert len(arming) == 1 and arming[0][:2] == ["/bin/sh", "-c"]
    assert f"OnCalendar={DEADLINE:%Y-%m-%d %H:%M:%S} UTC\nPersistent=yes" in arming[0][2]
    assert f"systemctl start {TIMER}" in arming[0][2]
    # Its script is no file: those are written later.
    assert not any(file["path"] in arming[0][2] for file in read()["write_files"])


def test_deadline_of_another_zone_is_told_in_utc() -> None:
    elsewhere = DEADLINE.astimezone(timezone(timedelta(hours=9)))

    assert scripts(replace(TOLD, deadline=elsewhere)) == scripts()


def test_modes_are_text_since_a_number_would_be_another_one() -> None:
    assert {file["permissions"] for file in read()["write_files"]} == {"0644", "0755"}


def test_what_is_too_long_is_refused_before_it_is_sent() -> None:
    with pytest.raises(DataError, match="bytes, at most 16000"):
        make_user_data(replace(TOLD, host_private="x" * 20_000))


def test_all_that_the_scan_needs_is_installed() -> None:
    assert {"docker.io", "rclone", "fuse3", "sqlite3", "zstd", "rsync", "python3-click", "python3-systemd"} <= set(PACKAGES)


def test_system_is_set_as_a_scan_needs_it() -> None:
    written = {file["path"]: file["content"] for file in read()["write_files"]}

    assert written["/etc/sysctl.d/60-plexguard.conf"].splitlines() == [
        *("fs.file-max = 500000", "vm.swappiness = 10", "vm.vfs_cache_pressure = 50")
    ]
    limits = written["/etc/security/limits.d/60-plexguard.conf"].splitlines()
    assert [line.split()[1:] for line in limits if line.startswith("* ")] == [
        *(["soft", "nofile", "100000"], ["hard", "nofile", "500000"])
    ]
    assert "DefaultLimitNOFILE=100000:500000" in written["/etc/systemd/system.conf.d/60-plexguard.conf"]


def test_a_ready_machine_tells_its_boot_and_versions() -> None:
    found = read_ready("boot_id=abc\ndocker=20.10.24\nrclone=rclone v1.60.1\n")

    assert found == Ready(boot_id="abc", versions={"docker": "20.10.24", "rclone": "rclone v1.60.1"})
    for text in ("", "docker=20", "boot_id=\n"):
        with pytest.raises(PeerError):
            read_ready(text)
