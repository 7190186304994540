"""Applying a changed configuration."""

from dataclasses import replace
from pathlib import Path

import pytest

from plexguard.core.host import CommandFailed
from plexguard.core.manager import Unit
from plexguard.status.apply.act import apply
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager

WATCHER = "plexguard-container-watch.service"


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def generating(folder: Path, drop_ins: dict[str, str], *units: Unit) -> FakeManager:
    """Return a manager whose daemon-reload makes drop-ins."""
    manager = FakeManager(*units)

    def act(verb: str, _name: str) -> None:
        if verb == "daemon-reload":
            for name, text in drop_ins.items():
                write(folder, name, text)

    manager.on = act
    return manager


def watcher(state: str) -> Unit:
    return Unit(name=WATCHER, load_state="loaded", active_state=state, started_s=1.0)


def call(manager: FakeManager, folder: Path) -> tuple[str, ...]:
    """Apply with a configuration file that is there since for ever."""
    return apply(manager, FakeClock(), FakeJournal(), config_path=folder / "plexguard.toml", folder=folder / "generated").lines


def test_units_are_read_again_before_plex_is_found_anew_and_restarts_come_last(tmp_path: Path) -> None:
    manager = generating(tmp_path / "generated", {"plexguard-plex-probe.timer.d/50-interval.conf": "[Timer]\n"})

    told = call(manager, tmp_path)

    assert manager.asked == [
        ("reset-failed", "plexguard-*"),
        ("daemon-reload", ""),
        ("start", "plexguard-discover.service"),
        ("try-restart", "plexguard-plex-probe.timer"),
    ]
    assert told == ("plexguard-plex-probe.timer: restarted",)


def test_what_changed_and_is_not_restarted_is_told_too(tmp_path: Path) -> None:
    drop_ins = {"plexguard-perms-audit.service.d/50-roots.conf": "x", "plexguard-perms-audit.timer.d/a.conf": "x"}

    told = call(generating(tmp_path / "generated", drop_ins), tmp_path)

    assert told == ("plexguard-perms-audit.service: changed", "plexguard-perms-audit.timer: restarted")


def test_a_service_that_runs_with_other_settings_is_restarted(tmp_path: Path) -> None:
    drop_ins = {f"{WATCHER}.d/50-x.conf": "x"}

    told = call(generating(tmp_path / "generated", drop_ins, watcher("active")), tmp_path)

    assert told == (f"{WATCHER}: restarted",)


def test_where_nothing_changed_nothing_is_restarted(tmp_path: Path) -> None:
    write(tmp_path / "generated", "plexguard-plex-probe.timer.d/50-interval.conf", "[Timer]\n")
    write(tmp_path / "generated", "ssh.service.d/x.conf", "not ours")

    assert call(FakeManager(watcher("active")), tmp_path) == ()


def test_a_daemon_that_read_an_older_file_is_restarted(tmp_path: Path) -> None:
    clock = FakeClock()
    (tmp_path / "plexguard.toml").write_text("")  # now, which is later than the fake clock's now
    manager = FakeManager(watcher("active"))

    assert apply(manager, clock, FakeJournal(), config_path=tmp_path / "plexguard.toml", folder=tmp_path).lines == (
        f"{WATCHER}: restarted",
    )
    assert manager.asked[-1] == ("try-restart", WATCHER)


def test_a_daemon_that_failed_over_the_mistake_that_was_mended_is_started(tmp_path: Path) -> None:
    manager = FakeManager(watcher("failed"))

    call(manager, tmp_path)

    assert manager.asked[-1] == ("start", WATCHER)


def test_a_daemon_that_was_about_to_end_for_want_of_a_channel_is_started(tmp_path: Path) -> None:
    name = "plexguard-notify.service"
    running = Unit(name=name, load_state="loaded", file_state="enabled", active_state="active", started_s=1.0)
    manager = FakeManager(running)

    def end(verb: str, _name: str) -> None:
        if verb == "try-restart":
            manager.units[name] = replace(running, active_state="inactive", ended_s=2.0, left_active_s=2.1)

    manager.on = end
    (tmp_path / "plexguard.toml").write_text("")

    told = apply(manager, FakeClock(), FakeJournal(), config_path=tmp_path / "plexguard.toml", folder=tmp_path).lines

    assert manager.asked[-2:] == [("try-restart", name), ("start", name)]
    assert told == (f"{name}: started",)


def test_who_refuses_the_new_configuration_keeps_no_other_from_it(tmp_path: Path) -> None:
    door = Unit(name="plexguard-proxy.service", load_state="loaded", active_state="active", started_s=1.0)
    manager = FakeManager(door, watcher("active"))
    manager.fail["try-reload"] = CommandFailed("refused")
    (tmp_path / "plexguard.toml").write_text("")

    done = apply(manager, FakeClock(), FakeJournal(), config_path=tmp_path / "plexguard.toml", folder=tmp_path)

    assert done.refused == (door.name,)
    assert set(done.lines) == {f"{WATCHER}: restarted", f"{door.name}: goes on as it was, see journalctl -u {door.name}"}


def test_a_reload_that_fails_restarts_nothing(tmp_path: Path) -> None:
    manager = FakeManager()
    manager.fail["daemon-reload"] = CommandFailed("refused")

    with pytest.raises(CommandFailed):
        call(manager, tmp_path)

    assert [verb for verb, _ in manager.asked] == ["reset-failed", "daemon-reload"]
