"""The hooks of download programs: what they start, with the service manager's command replaced and systemd-escape real."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.static.tree import EXAMPLES, LIBEXEC

pytestmark = pytest.mark.skipif(shutil.which("systemd-escape") is None, reason="systemd-escape is not installed")

_START = ["start", "--no-block", "--no-ask-password"]
# Says each time what the next line of `states` says, at last inactive; answers `start` with the code in `refused`.
_SYSTEMCTL = """#!/bin/sh
printf '%s\\0' "$@" >> "$CALLS/called"; printf '\\n' >> "$CALLS/called"
case $1 in
    is-active) sed -n 1p "$CALLS/states"; sed -i 1d "$CALLS/states"; exit 3 ;;
    start) [ ! -e "$CALLS/refused" ] || { echo "Interactive authentication required." >&2; exit 1; } ;;
esac
"""
_SLEEP = '#!/bin/sh\necho "$1" >> "$CALLS/slept"\n'


class Host:
    """A place where a hook runs: its service manager records what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.calls = folder / "bin", folder / "calls"
        self.bin.mkdir()
        self.calls.mkdir()
        (self.calls / "states").touch()
        for name, text in (("systemctl", _SYSTEMCTL), ("sleep", _SLEEP)):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)

    def run(self, *argv: str | bytes | Path, **env: str | bytes) -> subprocess.CompletedProcess[str]:
        path = f"{self.bin}:/usr/bin:/bin"
        environment = {
            b"PATH": path.encode(),
            b"CALLS": bytes(self.calls),
            **{os.fsencode(n): os.fsencode(v) for n, v in env.items()},
        }
        return subprocess.run(argv, env=environment, capture_output=True, text=True, errors="replace", timeout=30, check=False)

    def audit(self, path: str | bytes | Path) -> subprocess.CompletedProcess[str]:
        return self.run(LIBEXEC / "start-audit", path)

    def hook(self, name: str, *arguments: str | bytes | Path, **env: str | bytes) -> subprocess.CompletedProcess[str]:
        """Run an example, whose path to the installed script is the tree's here."""
        copy = self.bin / name
        copy.write_text((EXAMPLES / name).read_text().replace("/usr/libexec/plexguard", str(LIBEXEC)))
        copy.chmod(0o755)
        return self.run(copy, *arguments, **env)

    def called(self) -> list[list[str]]:
        lines = (self.calls / "called").read_text().splitlines() if (self.calls / "called").exists() else []
        return [line.rstrip("\0").split("\0") for line in lines]

    def started(self) -> list[bytes]:
        """Return the folders whose audit was started."""
        starts = [call for call in self.called() if call[0] == "start"]
        assert all(call[:-1] == _START and len(call[-1]) <= 255 for call in starts)
        return [folder_of(call[-1]) for call in starts]


def folder_of(unit: str) -> bytes:
    """Return the folder that a unit of the template audits: its %f."""
    instance = unit.removeprefix("plexguard-perms-audit@").removesuffix(".service")
    return subprocess.run(["systemd-escape", "--unescape", "--path", "--", instance], capture_output=True, check=True).stdout[:-1]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    (tmp_path / "media").mkdir()
    return tmp_path / "media"


# -- the start of an audit --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [b"Alien (1979)", b"new\nline", b"-rf", b"100% \\ $HOME `id` 'a' \"b\"", b"\xff\xfe", "Amélie".encode(), b"@home", b"x:y_z."],
)
def test_audit_of_a_folder_is_started_whatever_its_name(host, media, name):
    folder = bytes(media) + b"/" + name
    os.mkdir(folder)

    done = host.audit(folder)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert host.started() == [folder]


@pytest.mark.parametrize("name", ["film.mkv", "gone", "new\nline.mkv", "-rf.mkv"])
def test_of_a_file_its_folder_is_audited(host, media, name):
    if name != "gone":
        (media / name).touch()
    assert host.audit(media / name).returncode == 0
    assert host.started() == [bytes(media)]


def test_path_too_long_for_a_unit_is_audited_from_the_nearest_folder_that_fits(host, media):
    fitting = media / "Доктор Кто"
    deep = fitting / ("é" * 60) / "Season 1"
    deep.mkdir(parents=True)

    for path in (deep, fitting / ("é" * 60 + ".mkv")):
        assert host.audit(path).returncode == 0

    assert host.started() == [bytes(fitting)] * 2


def test_name_of_a_unit_may_be_as_long_as_systemd_allows(host, media):
    def unit_of(name: str) -> str:
        argv = ["systemd-escape", "--path", "--template=plexguard-perms-audit@.service", "--", str(media / name)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    name = "x" * (255 - len(unit_of("x")) + 1)
    for folder in (name, name + "x"):
        (media / folder).mkdir()
        assert host.audit(media / folder).returncode == 0

    assert host.started() == [bytes(media / name), bytes(media)]
    assert len(host.called()[1][-1]) == 255


@pytest.mark.parametrize("path", ["", "media", "-rf", "./media", "/srv/../etc", "/srv/..", "/", "/film.mkv", "/" + "é" * 60])
def test_what_is_no_full_path_is_refused(host, path):
    done = host.audit(path)
    assert (done.returncode, done.stderr.startswith("plexguard: ")) == (64, True)
    assert host.called() == []


def test_file_that_comes_while_its_folder_is_audited_is_audited_too(host, media):
    """A start only joins a run that is under way."""
    (host.calls / "states").write_text("activating\nactivating\ninactive\n")
    assert host.audit(media).returncode == 0
    assert [call[0] for call in host.called()] == ["is-active"] * 3 + ["start"]


def test_importer_is_not_held_up_by_an_audit_that_takes_long(host, media):
    (host.calls / "states").write_text("activating\n" * 1000)

    done = host.audit(media)

    assert (done.returncode, "still being audited" in done.stderr) == (0, True)
    assert sum(float(line) for line in (host.calls / "slept").read_text().split()) == pytest.approx(10)
    assert host.started() == [bytes(media)]


def test_start_that_is_refused_says_what_is_missing(host, media):
    (host.calls / "refused").touch()
    done = host.audit(media)
    assert done.returncode == 77
    assert "Interactive authentication required." in done.stderr
    assert "60-plexguard-hooks.rules" in done.stderr


# -- the hooks --------------------------------------------------------------------------------------------------------

HOOKS = pytest.mark.parametrize(
    ("name", "variable", "folder"),
    [("sonarr-hook", "sonarr_eventtype", "sonarr_series_path"), ("radarr-hook", "radarr_eventtype", "radarr_movie_path")],
    ids=["sonarr", "radarr"],
)


@HOOKS
@pytest.mark.parametrize("event", ["Download", "Rename"])
def test_import_is_audited(host, media, name, variable, folder, event):
    done = host.hook(name, **{variable: event, folder: str(media)})
    assert (done.returncode, done.stderr) == (0, "")
    assert host.started() == [bytes(media)]


@HOOKS
@pytest.mark.parametrize("event", ["Test", "Grab", "HealthIssue", "SeriesDelete", "MovieDelete", "ApplicationUpdate", "Unheard"])
def test_other_event_starts_nothing_and_is_well(host, media, name, variable, folder, event):
    done = host.hook(name, **{variable: event, folder: str(media)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert host.called() == []


@HOOKS
@pytest.mark.parametrize("event", ["Test", "Download"])
def test_import_succeeds_without_plexguard(host, media, name, variable, folder, event):
    done = host.run(EXAMPLES / name, **{variable: event, folder: str(media)})
    if Path("/usr/libexec/plexguard").exists():
        pytest.skip("plexguard is installed here")
    assert (done.returncode, bool(done.stderr)) == (0, True)


@HOOKS
def test_import_succeeds_when_the_audit_is_refused(host, media, name, variable, folder):
    (host.calls / "refused").touch()
    done = host.hook(name, **{variable: "Download", folder: str(media)})
    assert (done.returncode, "polkit" in done.stderr) == (0, True)


@HOOKS
def test_event_without_a_path_or_hook_without_an_event_is_well(host, name, variable, folder):
    assert host.hook(name, **{variable: "Download"}).returncode == 0
    assert host.hook(name).returncode == 0
    assert host.called() == []


def test_torrent_of_files_and_torrent_of_one_file_are_audited(host, media):
    torrent = media / 'The "Best" Film'
    torrent.mkdir()
    (torrent / "film.mkv").touch()

    for content in (torrent, torrent / "film.mkv"):
        assert host.hook("qbittorrent-hook", content).returncode == 0

    assert host.started() == [bytes(torrent)] * 2


def test_download_succeeds_when_the_audit_is_refused(host, media):
    (host.calls / "refused").touch()
    assert host.hook("qbittorrent-hook", media).returncode == 0
    assert host.hook("qbittorrent-hook").returncode == 0
