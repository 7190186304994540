"""Applying a changed configuration."""

from pathlib import Path

import pytest

from plexguard.core.host import CommandFailed
from plexguard.core.manager import Unit
from plexguard.status.act import apply
from tests.fakes.ports import FakeManager

WATCHER = "plexguard-container-watch.service"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def generating(folder: Path, drop_ins: dict[str, str]) -> FakeManager:
    """Return a manager whose daemon-reload makes drop-ins."""
    manager = FakeManager()

    def act(verb: str, _name: str) -> None:
        if verb == "daemon-reload":
            for name, text in drop_ins.items():
                write(folder, name, text)

    manager.on = act
    return manager


def test_units_are_read_again_before_plex_is_found_anew_and_restarts_come_last(tmp_path: Path) -> None:
    manager = generating(tmp_path, {"plexguard-plex-probe.timer.d/50-interval.conf": "[Timer]\n"})

    apply(manager, folder=tmp_path)

    assert manager.asked == [
        ("daemon-reload", ""),
        ("start", "plexguard-discover.service"),
        ("try-restart", "plexguard-plex-probe.timer"),
        ("try-restart", WATCHER),
    ]


def test_what_changed_and_what_was_restarted_is_told_a_line_each(tmp_path: Path) -> None:
    manager = generating(tmp_path, {"plexguard-perms-audit.service.d/50-roots.conf": "x", "plexguard-perms-audit.timer.d/a.conf": "x"})

    told = apply(manager, folder=tmp_path)

    assert told == (
        "plexguard-perms-audit.service: changed",
        "plexguard-perms-audit.timer: restarted if it runs",
        f"{WATCHER}: restarted if it runs",
    )


def test_where_nothing_changed_only_daemons_are_restarted(tmp_path: Path) -> None:
    write(tmp_path, "plexguard-plex-probe.timer.d/50-interval.conf", "[Timer]\n")
    manager = generating(tmp_path, {"plexguard-plex-probe.timer.d/50-interval.conf": "[Timer]\n"})

    assert apply(manager, folder=tmp_path) == (f"{WATCHER}: restarted if it runs",)


def test_drop_ins_of_others_are_nobodys_business(tmp_path: Path) -> None:
    manager = generating(tmp_path, {"ssh.service.d/x.conf": "x", "plexguard-plex-probe.timer": "not a drop-in"})

    assert apply(manager, folder=tmp_path) == (f"{WATCHER}: restarted if it runs",)


def test_a_machine_without_generated_units_is_fine(tmp_path: Path) -> None:
    assert apply(FakeManager(), folder=tmp_path / "away") == (f"{WATCHER}: restarted if it runs",)


def test_a_daemon_that_failed_over_the_mistake_that_was_mended_is_started(tmp_path: Path) -> None:
    manager = FakeManager(Unit(name=WATCHER, load_state="loaded", active_state="failed", result="exit-code"))

    apply(manager, folder=tmp_path)

    assert manager.asked[-2:] == [("reset-failed", WATCHER), ("start", WATCHER)]


def test_a_reload_that_fails_restarts_nothing(tmp_path: Path) -> None:
    manager = FakeManager()
    manager.fail["daemon-reload"] = CommandFailed("refused")

    with pytest.raises(CommandFailed):
        apply(manager, folder=tmp_path)

    assert [verb for verb, _ in manager.asked] == ["daemon-reload"]
