"""The file of a run."""

from datetime import timedelta

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.life.run_file import RunFile
from plexguard.cloud_run.life.runs import check_name, read_run
from plexguard.core.errors import ConfigError, MissingInput, UsageError

GIB = 1 << 30


def write(folder, text: str, name: str = "delta"):
    (folder / f"{name}.toml").write_text(text)
    return folder


def test_empty_file_is_a_run(tmp_path):
    run = read_run("delta", folder=write(tmp_path, ""))

    assert run == RunFile()
    assert (run.types[0], run.limit, run.monitoring, run.keep) == ("GP1-S", timedelta(hours=96), "cloud_intensive", False)
    assert run.disk_bytes == 100 * 10**9
    assert run.cost_limit_in(Config(max_cost=7.0)) == 7.0
    assert run.zones_in(Config(zones=("nl-ams-1",))) == ("nl-ams-1",)


def test_what_the_file_says_wins(tmp_path):
    run = read_run(
        "delta",
        folder=write(
            tmp_path,
            'instance = "lite"\ntype = "DEV1-L"\nzone = "fr-par-2"\ndisk = "60G"\nmemory = "6G"\nswap = "1G"\ncpus = 3\n'
            'max_cost = 3.5\nlimit = "12h"\nkeep = true\n',
        ),
    )

    # Who names a type wants that one.
    assert run.types == ("DEV1-L",)
    assert run.disk_bytes == 60 * GIB
    assert (run.limits.memory_bytes, run.limits.memory_swap_bytes, run.limits.cpus) == (6 * GIB, 7 * GIB, 3)
    assert run.cost_limit_in(Config()) == 3.5
    assert run.zones_in(Config()) == ("fr-par-2",)


def test_all_mistakes_are_told_at_once(tmp_path):
    write(tmp_path, 'instance = "huge"\nmonitoring = "x"\nprofile = "lite"\nlimit = "10min"\nmemory = "1M"\n[plex]\nx = 1\n')

    with pytest.raises(ConfigError) as caught:
        read_run("delta", folder=tmp_path)

    file = tmp_path / "delta.toml"
    assert [mistake.removeprefix(f"{file}: ").partition(":")[0] for mistake in caught.value.mistakes] == [
        *("[plex]", "instance", "limit", "monitoring", "profile")
    ]


def test_media_are_mounted_at_no_folder_of_the_system(tmp_path):
    with pytest.raises(ConfigError, match='media: found "/usr/share", which is no place for media'):
        read_run("delta", folder=write(tmp_path, 'mount = "media"\nmedia = "/usr/share"\n'))
    with pytest.raises(ConfigError, match="mount: found"):
        read_run("delta", folder=write(tmp_path, 'mount = "../media"\n'))


def test_memory_that_plex_could_not_live_in_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match="memory: found 1M, allowed is a size from 256M"):
        read_run("delta", folder=write(tmp_path, 'memory = "1M"'))


def test_run_that_is_not_there_is_told(tmp_path):
    with pytest.raises(MissingInput, match=r"delta\.toml: there is no such run"):
        read_run("delta", folder=tmp_path)


@pytest.mark.parametrize("name", ["", "Delta", "../x", "a.b", "-x", "a" * 32, "a\nb", "a b"])
def test_name_that_could_be_no_unit_is_refused(name, tmp_path):
    with pytest.raises(UsageError):
        check_name(name)
    with pytest.raises(UsageError):
        read_run(name, folder=tmp_path)


FILMS = '[[libraries]]\ntitle = "Films"\ntype = "movie"\npaths = ["/Media/Films"]\n'


def test_libraries_that_a_run_makes_are_those_of_home_or_listed_with_what_is_usual(tmp_path):
    assert read_run("delta", folder=write(tmp_path, 'libraries = "home"\n')).libraries == "home"
    (films, own) = read_run(
        "delta",
        folder=write(
            tmp_path,
            FILMS + '[[libraries]]\ntitle = "Own"\ntype = "artist"\npaths = ["/Media/a", "/Media/b"]\nlanguage = "fr-FR"\n'
            'agent = "tv.plex.agents.none"\nscanner = "Plex Music"\n',
        ),
    ).libraries
    assert (films.title, films.agent, films.scanner, films.language) == ("Films", "tv.plex.agents.movie", "Plex Movie", "en-US")
    assert (own.folders, own.agent, own.language) == (("/Media/a", "/Media/b"), "tv.plex.agents.none", "fr-FR")


@pytest.mark.parametrize(
    "text",
    [
        FILMS + FILMS,
        FILMS.replace("movie", "film"),
        FILMS.replace("title", "name"),
        FILMS.replace('["/Media/Films"]', "[]"),
        FILMS.replace('["/Media/Films"]', '["Films"]'),
        FILMS.replace('"Films"', '""'),
        FILMS + 'more = "x"\n',
        'libraries = "cloud"\n',
        "libraries = [1]\n",
        'libraries = "home"\ndatabase = "newest"\n',
    ],
)
def test_libraries_that_could_not_be_made_are_a_mistake(text, tmp_path):
    with pytest.raises(ConfigError, match="libraries: found"):
        read_run("delta", folder=write(tmp_path, text))


@pytest.mark.parametrize(
    "name",
    ["plexinc/pms-docker:latest", "me/plex", "localhost:5000/a/b:1.43.4.10903-e5521bd8c", "plex@sha256:" + "0" * 64, ""],
)
def test_image_of_the_container_is_a_name_as_docker_has_them(name, tmp_path):
    assert read_run("delta", folder=write(tmp_path, f'image = "{name}"\n')).image == name


@pytest.mark.parametrize("name", ["--privileged", "Me/Plex", "a b", "plex:", "/plex", "plex@sha256:12", "a" * 300])
def test_what_is_no_name_of_an_image_is_refused(name, tmp_path):
    with pytest.raises(ConfigError):
        read_run("delta", folder=write(tmp_path, f'image = "{name}"\n'))
