"""Applying a changed configuration to mounts: who watches is started anew, rclone never."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plexguard.core import config
from plexguard.core.made import Made, mark_settings
from plexguard.core.manager import Unit
from plexguard.core.published import HOLD, MOUNTS
from plexguard.core.records import encode
from plexguard.status.apply import mounts
from tests.fakes.ports import FakeClock, FakeJournal, FakeManager

MOUNT, WATCHER = "plexguard-rclone@films.service", "plexguard-rclone-watchdog@films.service"
TEXT = '[rclone.films]\nremote = "s3:films"\nmount_point = "/mnt/films"\n'


def unit(name: str, state: str, **other: object) -> Unit:
    return Unit(name=name, load_state="loaded", active_state=state, started_s=1.0, **other)


@pytest.fixture
def call(tmp_path: Path, monkeypatch):
    """Apply a configuration that was changed an hour before or after the units were started."""

    class Memory:
        made: Made | None = None

        def peek(self) -> Made | None:
            return self.made

    memory = Memory()
    monkeypatch.setattr(mounts, "made_file", lambda name, journal: memory)
    monkeypatch.setattr(mounts, "find_made", lambda journal: ("films",))
    # One that was watched has a folder for what is known of it.
    monkeypatch.setattr(mounts, "MOUNTS", replace(MOUNTS, file=f"{tmp_path}/watched/*/state.json"))
    (tmp_path / "watched/films").mkdir(parents=True)

    def apply(manager: FakeManager, text: str = TEXT, *, made_with: str = TEXT, is_newer: bool = True) -> tuple[str, ...]:
        file = tmp_path / "plexguard.toml"
        file.write_text(made_with)
        memory.made = Made(path="/mnt/films", remote="s3:films", settings=mark_settings(config.read(file, {}), "films"))
        file.write_text(text)
        clock = FakeClock()
        changed_at = clock.now() + (timedelta(days=9) if is_newer else -timedelta(days=9))
        return mounts.apply_mounts(manager, clock, FakeJournal(), config_path=file, changed_at=changed_at)

    return apply


def test_who_watches_is_started_anew_and_the_mount_is_not(call):
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, "active"))

    assert call(manager, TEXT + "cover = true\n") == (f"{WATCHER}: starting anew",)
    assert manager.asked == [("try-restart", WATCHER)]


def test_who_waits_for_the_first_proof_is_started_anew_too(call):
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, "activating"))
    assert call(manager) == (f"{WATCHER}: starting anew",)


def test_who_has_read_it_as_it_is_goes_on(call):
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, "active"))
    assert call(manager, is_newer=False) == ()


def test_mount_with_other_settings_goes_on_and_the_command_for_it_is_told(call):
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, "active"))

    told = call(manager, TEXT + 'profile = "power"\n', is_newer=False)

    assert len(told) == 1 and told[0].endswith(f"systemctl restart {MOUNT}")
    assert ("restart", MOUNT) not in manager.asked and ("try-restart", MOUNT) not in manager.asked


def test_new_mount_is_started(call):
    manager = FakeManager(unit(MOUNT, "inactive"), unit(WATCHER, "inactive"))
    assert call(manager) == (f"{MOUNT}: starting", f"{WATCHER}: starting")


def test_mount_of_others_is_watched_only(call):
    manager = FakeManager(unit(MOUNT, "inactive"), unit(WATCHER, "inactive"))
    assert call(manager, '[rclone.films]\nmount_point = "/mnt/films"\n') == (f"{WATCHER}: starting",)


def test_what_somebody_has_stopped_stays_so(call):
    manager = FakeManager(unit(MOUNT, "inactive", left_active_s=5.0, ended_s=6.0), unit(WATCHER, "active"))
    assert call(manager) == ()


def test_what_is_left_over_of_a_mount_is_told(call):
    manager = FakeManager(unit(MOUNT, "active"))

    assert [line.rpartition(": ")[2] for line in call(manager, "")] == [f"systemctl stop {MOUNT}"]
    assert manager.asked == []


@pytest.mark.parametrize(("state", "is_stopped"), [("active", True), ("activating", True), ("inactive", False), ("failed", False)])
def test_who_watches_a_mount_that_is_not_configured_any_more_is_stopped(call, state, is_stopped):
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, state))

    told = call(manager, "")

    assert [line for line in told if line.startswith(f"{WATCHER}: stopped")] == list(told)[: int(is_stopped)]
    assert (("stop", WATCHER) in manager.asked) is is_stopped
    assert ("stop", MOUNT) not in manager.asked


@pytest.mark.parametrize(("holder", "is_told"), [("films", True), ("other", False)])
def test_hold_that_lasts_is_told_with_what_to_type(call, monkeypatch, tmp_path, holder, is_told):
    hold = {"schema": HOLD.schema, "holders": {holder: encode(FakeClock().moment())}}
    (tmp_path / "hold.json").write_text(json.dumps(hold))
    monkeypatch.setattr(mounts, "HOLD", replace(HOLD, file=str(tmp_path / "hold.json")))
    manager = FakeManager(unit(MOUNT, "active"), unit(WATCHER, "active"))

    told = [line for line in call(manager, "") if line.startswith("Plex ")]

    assert [line.rpartition(": ")[2] for line in told] == ["plexguard-rclone-watchdog release films"] * is_told
