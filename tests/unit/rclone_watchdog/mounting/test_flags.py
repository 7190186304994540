"""What rclone is told: flags of options, by its version; flags that are refused, and those that do nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest

from plexguard.core.events import Mode
from plexguard.core.options import options
from plexguard.rclone_watchdog.config import PROFILES, Mount
from plexguard.rclone_watchdog.mounting.flags import FLAGS, OLDEST, find_faults, parse_version
from plexguard.rclone_watchdog.mounting.render import IDLE, find_idle, find_unknown, logs_for_systemd, render

MOUNT = Mount(remote="s3:media", mount_point="/mnt/media")
NEWEST = (1, 75, 2)
FIXED = {"--uid": "997", "--gid": "996", "--cache-dir": "/var/cache/x"}


def flags(mount: Mount = MOUNT, version: tuple[int, ...] = OLDEST) -> dict[str, str]:
    return dict(flag.partition("=")[::2] for flag in render(mount.resolve(), version, FIXED))


def test_every_flag_is_of_an_option_that_exists():
    assert {flag.option for flag in FLAGS} <= set(options(Mount))


@pytest.mark.parametrize("profile", PROFILES)
def test_profile_says_what_is_not_given_and_yields_to_what_is(profile):
    given = flags(Mount(remote="s3:m", mount_point="/m", profile=profile))
    own = flags(Mount(remote="s3:m", mount_point="/m", profile=profile, transfers=7, timeout=timedelta(hours=2)))

    assert given["--transfers"] == str(PROFILES[profile].transfers)
    assert given["--vfs-cache-max-size"] == f"{PROFILES[profile].cache_size}B"
    assert (own["--transfers"], own["--timeout"]) == ("7", "7200s")
    assert own | {"--transfers": "", "--timeout": ""} == given | {"--transfers": "", "--timeout": ""}


def test_what_only_newer_versions_know_is_told_to_them_alone():
    mount = replace(MOUNT, chunk_streams=4, list_at_start=True)
    newer = {"--vfs-cache-min-free-space", "--vfs-read-chunk-streams", "--vfs-refresh"}

    assert newer & set(flags(mount, OLDEST)) == set()
    assert newer <= set(flags(mount, NEWEST))
    assert set(find_unknown(mount, OLDEST)) == {"chunk_streams", "list_at_start"}
    assert find_unknown(mount, NEWEST) == {}


def test_sizes_are_bytes_to_rclone_and_masks_are_octal():
    given = flags(replace(MOUNT, cache_free=0, buffer_size=1 << 20, umask=Mode(0o027)), NEWEST)

    assert given["--vfs-cache-min-free-space"] == "0B"
    assert given["--buffer-size"] == "1048576B"
    assert given["--umask"] == "0027"


def test_switches_are_there_or_not():
    assert {"--read-only", "--no-checksum", "--allow-other"} <= set(flags())
    assert {"--read-only", "--no-checksum"} & set(flags(replace(MOUNT, read_only=False, checksum=True))) == set()


def test_owner_and_cache_are_those_of_the_machine():
    assert {name: flags()[name] for name in FIXED} == FIXED


@pytest.mark.parametrize(("version", "is_safe"), [((1, 60, 1), True), ((1, 70, 0), False), ((1, 70, 1), False), ((1, 70, 2), True)])
def test_versions_that_block_while_they_log_are_not_told_to(version, is_safe):
    assert logs_for_systemd(version) is is_safe
    assert ("--log-systemd" in flags(version=version)) is is_safe


@pytest.mark.parametrize(
    ("flag", "why"),
    [
        ("--rc-addr=:5572", "plexguard sets itself"),
        ("--rc", "plexguard sets itself"),
        ("--rc_no_auth", "plexguard sets itself"),
        ("--daemon", "plexguard sets itself"),
        ("--allow-other=false", "plexguard sets itself"),
        ("--config=/tmp/x", "plexguard sets itself"),
        ("--log-file=/tmp/x", "plexguard sets itself"),
        ("--metrics-addr=:1", "plexguard sets itself"),
        ("--fuse-flag=x", "plexguard sets itself"),
        ("--timeout=5m", "the option timeout"),
        ("--low-level-retries=10", "the option retries"),
        ("--read-only", "the option read_only"),
        ("--s3-secret-access-key=AKIAHIDDEN", "put it into rclone.conf"),
        ("--webdav-pass=hidden", "put it into rclone.conf"),
        ("--header=Authorization: hidden", "put it into rclone.conf"),
        ("--storj-access-grant=hidden", "put it into rclone.conf"),
        ("-v", "no long flag"),
        ("5", "no long flag"),
        ("--tpslimit 10", "no long flag"),
        ("--", "no long flag"),
        ("", "no long flag"),
    ],
)
def test_flag_that_would_harm_is_refused_and_its_value_is_not_told(flag, why):
    (told,) = find_faults([flag])

    assert why in told
    assert "hidden" not in told.lower()


@pytest.mark.parametrize(
    "flag", ["--tpslimit=10", "--bwlimit=4M:off", "--use-server-modtime", "--vfs-fast-fingerprint", "--no-seek"]
)
def test_flag_that_plexguard_has_no_option_for_is_taken(flag):
    assert list(find_faults([flag])) == []
    assert flag in render(replace(MOUNT, extra_flags=(flag,)).resolve(), OLDEST, FIXED)


def test_flags_that_do_nothing_on_a_mount_are_named_with_why():
    mount = replace(MOUNT, extra_flags=("--retries=10", "--retries_sleep=30s", "--tpslimit=4", "--poll-interval=1m"))

    assert set(find_idle(mount)) == {"--retries", "--retries-sleep"}
    assert set(find_idle(mount, "s3")) == {"--retries", "--retries-sleep", "--poll-interval"}
    assert set(find_idle(mount, "drive")) == {"--retries", "--retries-sleep"}


def test_flag_that_does_nothing_is_none_that_is_refused():
    assert list(find_faults(f"{name}=1" for name in IDLE)) == []


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("rclone v1.60.1-DEV\n- os/version: debian 12.1 (64 bit)\n", (1, 60, 1)),
        ("rclone v1.75.2\n", (1, 75, 2)),
        ("rclone v1.67\n", (1, 67, 0)),
        ("rclone v1.66.0-beta.7712.abc\n", (1, 66, 0)),
        ("", None),
        ("bash: rclone: command not found", None),
    ],
)
def test_version_is_read_from_what_rclone_says(text, version):
    assert parse_version(text) == version
