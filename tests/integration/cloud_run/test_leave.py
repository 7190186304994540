"""The end of the work on a run's machine: what is packed, and what is not in it."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from plexguard.cloud_run.section.leave import Leaving
from plexguard.cloud_run.section.told import Former, Plan
from plexguard.core.errors import PlexguardError
from plexguard.core.host import Completed
from plexguard.core.plex import PlexBroken
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeHost

TOKEN = "very-secret-token-1"


def said(text: str = "", code: int = 0, stderr: str = "") -> Completed:
    return Completed(code=code, stdout=text, stderr=stderr)


class Machine(FakeHost):
    """A machine with Plex's data: exports is what each export in turn finds, good or not."""

    def __init__(self, folder: Path, *exports: bool) -> None:
        super().__init__(
            {
                "db-export export": self._export,
                "db-export repair": said("{}"),
                "docker logs": said("starting\n", stderr=f"X-Plex-Token={TOKEN}\n"),
                "journalctl": said("Mount media is proven\n"),
                "tar": self._tar,
            }
        )
        self.folder, self.exports, self.noted = folder, list(exports), []
        logs = folder / "data/Logs/PMS Plugin Logs"
        logs.mkdir(parents=True)
        (logs.parent / "Plex Media Server.log").write_text(f"GET /?X-Plex-Token={TOKEN}\n")
        (logs / "com.plexapp.system.log").write_text("plugin\n")

    def leaving(self) -> Leaving:
        plan = Plan(data=str(self.folder / "data"), export=("db-export",), trees=("metadata",))
        return Leaving(plan=plan, machine=self, folder=self.folder / "packed", tell=lambda _: None, note=self.noted.append)

    def _export(self, argv: Sequence[str]) -> Completed:
        path = self.folder / "packed/plex.tar.zst"
        path.write_bytes(b"archive")
        is_good = self.exports.pop(0)
        return said(json.dumps({"path": str(path), "good": is_good}), code=0 if is_good else 1)

    def _tar(self, argv: Sequence[str]) -> Completed:
        subprocess.run(list(argv), check=True)
        return said()


def test_archive_and_logs_are_packed_and_no_secret_with_them(tmp_path: Path) -> None:
    Secret(TOKEN)
    machine = Machine(tmp_path, True)

    archive, logs = machine.leaving().pack()

    assert (archive.size_bytes, Path(archive.path).name) == (7, "plex.tar.zst")
    assert "--with=metadata" in machine.ran[0]
    listed = subprocess.run(["tar", "--zstd", "-tf", logs.path], check=True, capture_output=True, text=True).stdout.split()
    assert {Path(name).name for name in listed} >= {
        "plex-Plex-Media-Server.log",
        "plex-com.plexapp.system.log",
        "container.log",
        "units.log",
    }
    shown = subprocess.run(["tar", "--zstd", "-xOf", logs.path], check=True, capture_output=True, text=True).stdout
    assert "Mount media is proven" in shown and "starting" in shown and TOKEN not in shown


@pytest.mark.parametrize("after", [True, False])
def test_database_that_is_damaged_is_mended_and_brought_home_all_the_same(tmp_path: Path, after: bool) -> None:
    machine = Machine(tmp_path, False, after)

    packed = machine.leaving().pack()

    assert len(packed) == 2
    assert [argv[1] for argv in machine.ran if argv[0] == "db-export"] == ["export", "repair", "export"]
    assert "mended" in machine.noted[0]


def test_database_that_cannot_be_mended_is_brought_home_as_it_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path, False)
    machine.answers["db-export repair"] = said(code=65, stderr="too much would be lost")

    assert len(machine.leaving().pack()) == 2
    assert "too much would be lost" in machine.noted[-1]


class Plex:
    """Takes settings, or does not."""

    def __init__(self, error: PlexguardError | None = None) -> None:
        self.error, self.settings = error, {"autoEmptyTrash": "false"}

    def set_preference(self, name: str, value: str, *, timeout_s: float) -> None:
        if self.error:
            raise self.error
        self.settings[name] = value

    def preferences(self, *, timeout_s: float) -> dict[str, str]:
        return self.settings


@pytest.mark.parametrize("error", [None, PlexBroken("500")])
def test_settings_go_back_and_one_that_does_not_ends_nothing(tmp_path: Path, error: PlexguardError | None) -> None:
    machine, plex = Machine(tmp_path), Plex(error)

    machine.leaving().set_back(plex, Former(settings={"autoEmptyTrash": "true"}))  # type: ignore[arg-type]

    assert plex.settings == {"autoEmptyTrash": "false" if error else "true"}
    assert len(machine.noted) == (error is not None)
