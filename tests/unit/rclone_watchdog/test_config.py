"""Mounts as they are configured."""

from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.errors import ConfigError
from plexguard.rclone_watchdog.config import Mount, Rclone


def load(tmp_path: Path, text: str) -> Rclone:
    file = tmp_path / "plexguard.toml"
    file.write_text(text, encoding="utf-8")
    settings = config.read(file, {})
    taken = settings.take(Rclone)
    settings.check(["rclone"])
    return taken


def test_each_table_below_rclone_is_a_mount_of_that_name(tmp_path):
    found = load(
        tmp_path, '[rclone.media]\nremote = "s3:media"\nmount_point = "/srv/media"\n[rclone.nas]\nmount_point = "/mnt/nas"\n'
    )

    assert found.mount == {
        "media": Mount(remote="s3:media", mount_point="/srv/media"),
        "nas": Mount(mount_point="/mnt/nas"),
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[rclone]\nremote = "s3:media"\n', "options without a name, write [rclone.NAME]"),
        ('[rclone.media]\nremote = "s3:media"\n', "mount_point: missing"),
        ('[rclone.media]\nmount_point = "/m"\nprofil = "lite"\n', 'profil: unknown option, did you mean "profile"?'),
        ('[rclone.media]\nmount_point = "/m"\nprofile = "huge"\n', 'found "huge", allowed is one of "lite"'),
        ('[rclone.media]\nmount_point = "/m"\nremote = "media"\n', "names no remote of rclone"),
        ('[rclone.Media]\nmount_point = "/m"\n', 'found the name "Media"'),
        ('[rclone.media.more]\nmount_point = "/m"\n', 'found the name "media.more"'),
    ],
    ids=["no name", "no place", "unknown option", "unknown profile", "no remote", "capital", "too deep"],
)
def test_what_is_wrong_with_a_mount_is_told_by_its_place(tmp_path, text, told):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert told in "\n".join(caught.value.mistakes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('remote = "s3:m"\nmount_point = "/etc/media"\n', "a folder of the system"),
        ('remote = "s3:m"\nmount_point = "/home"\n', "a folder of the system"),
        ('remote = "s3:m"\nmount_point = "/m"\ncache_folder = "/m/cache"\n', "lies in the mount itself"),
        ('remote = "s3:m"\nmount_point = "/m"\nextra_flags = ["--daemon"]\n', "extra_flags: found --daemon"),
        ('remote = "s3:m"\nmount_point = "/m"\ntimeout = "13h"\n', "timeout: found"),
        ('remote = "s3:m"\nmount_point = "/m"\nretries = 0\n', "retries: found 0"),
        ('remote = ":s3,secret_access_key=x:m"\nmount_point = "/m"\n', "remote: names a secret"),
    ],
    ids=["below the system's", "around it", "cache in itself", "extra flag", "too long", "none", "secret"],
)
def test_what_would_do_harm_is_a_mistake(tmp_path, text, told):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"[rclone.media]\n{text}")
    assert told in "\n".join(caught.value.mistakes)


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [("/mnt/a", "/mnt/a", "there too"), ("/mnt/a/b", "/mnt/a", "around it"), ("/mnt/a", "/mnt/a/b", "around it")],
)
def test_mounts_in_each_others_way_are_told_once(tmp_path, one, other, told):
    text = f'[rclone.one]\nremote = "s3:a"\nmount_point = "{one}"\n[rclone.two]\nmount_point = "{other}"\n'
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert len(caught.value.mistakes) == 1
    assert told in caught.value.mistakes[0]


def test_mounts_whose_names_only_begin_alike_are_not_in_each_others_way(tmp_path):
    text = '[rclone.one]\nremote = "s3:a"\nmount_point = "/mnt/TV"\n[rclone.two]\nremote = "s3:b"\nmount_point = "/mnt/TVShows"\n'
    assert len(load(tmp_path, text).mount) == 2


def test_time_limits_of_before_can_be_had(tmp_path):
    text = '[rclone.media]\nremote = "s3:m"\nmount_point = "/m"\ntimeout = "120min"\nconnect_timeout = "600s"\nretries = 20\n'
    mount = load(tmp_path, text).mount["media"].resolve()

    assert (mount.timeout.total_seconds(), mount.connect_timeout.total_seconds(), mount.retries) == (7200, 600, 20)


def test_empty_text_is_as_if_it_were_not_there(tmp_path):
    text = '[rclone.media]\nremote = "s3:m"\nmount_point = "/m"\ntimeout = ""\ncache_size = ""\nretries = ""\n'
    mount = load(tmp_path, text).mount["media"]

    assert mount.resolve() == Mount(remote="s3:m", mount_point="/m").resolve()
