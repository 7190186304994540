"""Which mount a run uses, and what its machine is told of it."""

from datetime import timedelta

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.storage.choose import choose_media, make_drop_ins, read_point, render_config, units_of
from plexguard.core import config
from plexguard.core.errors import ConfigError
from plexguard.core.options import THING_NAME
from plexguard.core.plex_config import PlexConfig
from plexguard.core.spans import parse_size
from plexguard.core.suite import section_names
from plexguard.rclone_watchdog.config import Mount, Rclone

HOME = """\
[rclone.media]
remote = "s3:media"
mount_point = "/mnt/media"
canary = "a \\"b\\".mkv"
extra_flags = ["--tpslimit=10"]
cache_size = "300G"
timeout = "1h"
uid = 998
read_only = false
[rclone.nas]
mount_point = "/mnt/nas"
"""


def media(text: str = HOME, *, provider: str = "ssh", **run):
    return choose_media(RunFile(**{"mount": "media", **run}), config.read_text(text, "plexguard.toml"), Config(provider=provider))


def told(**run) -> Mount:
    settings = config.read_text(render_config(media(**run)), "there")
    mounts = settings.take(Rclone).mount
    settings.take(PlexConfig)
    settings.check(section_names())
    (name,) = mounts
    assert THING_NAME.fullmatch(name)
    return mounts[name]


ONE_MORE = '[rclone.films]\nremote = "s3:films"\nmount_point = "/mnt/films"\n'


def test_run_that_names_no_mount_has_the_only_one_there_is():
    for provider in ("ssh", "scaleway"):
        found = media(mount="", provider=provider)
        assert found is not None and (found.name, found.point, found.home) == ("media", "/Media", "/mnt/media")


def test_run_whose_machine_has_its_media_anyway_needs_no_mount():
    # Of this machine's two either may be meant, and none.
    assert media(mount="", provider="local") is None
    assert media(HOME + ONE_MORE, mount="", provider="ssh") is None
    assert media("", mount="", provider="ssh") is None
    assert media(mount="", media="", provider="ssh") is None


def test_machine_that_is_rented_has_no_media_of_its_own():
    with pytest.raises(ConfigError, match=r"mount: missing, allowed is one of \[rclone.NAME\]: films, media; or media = \"\""):
        media(HOME + ONE_MORE, mount="", provider="scaleway")
    with pytest.raises(ConfigError, match=r"mount: missing, allowed is one of \[rclone.NAME\]: none; or media = \"\""):
        media("", mount="", provider="scaleway")
    assert media(mount="", media="", provider="scaleway") is None


def test_machine_is_told_of_the_storage_and_not_of_how_home_has_it():
    mount = told()

    assert (mount.remote, mount.canary, mount.extra_flags) == ("s3:media", 'a "b".mkv', ("--tpslimit=10",))
    assert (mount.mount_point, mount.uid, mount.gid, mount.read_only) == ("/Media", 1000, 1000, True)
    assert mount.resolve().cache_size == parse_size("20G") and mount.resolve().timeout == timedelta(seconds=40)
    assert told(media="/srv/films").mount_point == "/srv/films"


# The table of the system that this one replaces: cache, buffer and read-ahead, chunk, transfers, checkers, hours of listings.
@pytest.mark.parametrize(
    ("instance", "cache", "buffer", "chunk", "transfers", "checkers", "hours"),
    [
        ("lite", "5G", "64M", "32M", 2, 4, 24),
        ("standard", "10G", "128M", "64M", 4, 8, 72),
        ("power", "20G", "256M", "128M", 16, 32, 24),
        ("superpower", "20G", "512M", "128M", 32, 64, 24),
    ],
)
def test_machine_mounts_as_its_instance_is_large(instance, cache, buffer, chunk, transfers, checkers, hours):
    mount = told(instance=instance).resolve()

    sizes = (mount.cache_size, mount.buffer_size, mount.read_ahead, mount.chunk_size, mount.chunk_limit)
    assert sizes == tuple(map(parse_size, (cache, buffer, buffer, chunk, "1G")))
    assert (mount.transfers, mount.checkers, mount.dir_cache) == (transfers, checkers, timedelta(hours=hours))
    assert (mount.cache_mode, mount.cache_age, mount.attr_timeout) == ("full", timedelta(hours=72), timedelta(days=365))


@pytest.mark.parametrize(
    ("name", "provider", "words"),
    [
        ("films", "ssh", 'found "films", and there is no such mount; allowed is one of .*: media$'),
        ("nas", "ssh", "which somebody else mounts"),
        ("films", "local", ": media, nas$"),
    ],
)
def test_unknown_mount_is_told_with_those_that_there_are(name, provider, words):
    with pytest.raises(ConfigError, match=words):
        media(mount=name, provider=provider)


def test_mistake_in_the_configuration_is_no_mount():
    with pytest.raises(ConfigError, match="cache_sise: unknown option"):
        media(HOME.replace("cache_size", "cache_sise"))


def test_run_on_this_machine_has_the_mount_where_home_has_it():
    assert media(provider="local").point == "/mnt/media"
    assert media(mount="nas", provider="local").point == "/mnt/nas"


def test_units_there_get_the_drop_ins_that_their_configuration_calls_for():
    made = make_drop_ins(media())

    assert made == {
        "plexguard-rclone-watchdog@media.service.d/50-mount.conf": "[Unit]\nAfter=plexguard-rclone@media.service\n",
        "plexguard-rclone@media.service.d/50-mount.conf": '[Unit]\nRequiresMountsFor="/"\n',
    }
    assert {name.partition(".d/")[0] for name in made} == set(units_of(media()))


def test_place_of_the_mount_there_is_read_back():
    assert read_point(render_config(media(media='/srv/"x"'))) == '/srv/"x"'
    assert read_point("") == read_point("torn [") == ""
