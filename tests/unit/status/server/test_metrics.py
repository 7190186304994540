"""Metrics: named by the conventions, and what cannot be told is absent."""

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from plexguard.core.secret import Secret
from plexguard.status.overview import Breaker, HoldView, PlexView, State, Thing
from plexguard.status.server.metrics import Measured, render_metrics
from tests.unit.status.server.samples import FULL, MEASURED, NOW, PLEX, WELL

BASE_UNITS = ("seconds", "bytes", "ratio", "euros", "bytes_per_second")


def values(measured: Measured) -> dict[tuple[str, ...], float]:
    """Return what is measured, by name and labels."""
    families = text_string_to_metric_families(render_metrics(measured).decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def names(measured: Measured) -> set[str]:
    return {key[0] for key in values(measured)}


def test_values() -> None:
    found = values(MEASURED)
    assert found["plexguard_plex_up",] == 1
    assert found["plexguard_healthy",] == 0
    assert found["plexguard_plex_response_seconds", "database"] == 0.01
    assert found["plexguard_plex_viewers",] == 2
    assert found["plexguard_restarts_total",] == 3
    assert found["plexguard_perms_repaired_total",] == 41
    assert found["plexguard_events_total", "plex.down", "warning"] == 7
    assert found["plexguard_events_total", "plex.hung", "warning"] == 0
    assert (found["plexguard_mount_up", "films"], found["plexguard_mount_up", "tv"]) == (0, 1)
    assert ("plexguard_mount_up", "music") not in found
    assert found["plexguard_budget_left", "restarts", "24 h"] == 4
    assert found["plexguard_speed_download_bytes_per_second",] == 12.5e6
    assert found["plexguard_speed_ping_seconds",] == 0.012
    assert found["plexguard_cloud_run_cost_euros", "delta"] == 12.5
    assert found["plexguard_cloud_run_progress_ratio", "scan", "delta"] == 0.5
    assert found["plexguard_notify_waiting", "mail"] == 3
    assert found["plexguard_notify_dropped_total", "mail"] == 1
    assert found["plexguard_unit_failed", "plexguard-perms-audit.service"] == 1
    assert found["plexguard_thing_state", "well", "plex", "Plex"] == 1
    assert found["plexguard_thing_state", "problem", "plex", "Plex"] == 0


def test_a_mount() -> None:
    found = values(MEASURED)

    assert {key[2] for key, value in found.items() if key[:2] == ("plexguard_mount_state", "films") and value} == {"stale"}
    assert found["plexguard_mount_proven_timestamp_seconds", "tv"] == NOW.timestamp() - 2
    assert found["plexguard_mount_latency_seconds", "tv"] == 0.31
    assert (found["plexguard_mount_cache_bytes", "tv"], found["plexguard_mount_cache_limit_bytes", "tv"]) == (3e9, 5e10)
    assert (found["plexguard_mount_waiting_requests", "tv"], found["plexguard_mount_remounts_total", "tv"]) == (0, 7)
    assert found["plexguard_mount_probes_total", "tv", "data"] == 600
    assert "plexguard_mount_remounts_total" not in {key[0] for key in found if "films" in key}


def test_what_was_measured_of_a_mount_that_nobody_watches_is_absent() -> None:
    mounts = tuple(replace(mount, verdict="stopped") for mount in FULL.mounts)
    found = values(replace(MEASURED, overview=replace(FULL, mounts=mounts)))

    assert found["plexguard_mount_state", "tv", "stopped"] == 1
    assert not {"plexguard_mount_latency_seconds", "plexguard_mount_waiting_requests"} & {key[0] for key in found}


def test_a_held_plex_and_its_trash() -> None:
    found = values(MEASURED)

    assert (found["plexguard_plex_held",], found["plexguard_plex_hold_failed",]) == (1, 0)
    assert found["plexguard_mount_holds_plex", "films"] == 1
    assert (found["plexguard_trash_items", "1", "Films"], found["plexguard_trash_limit_items", "1", "Films"]) == (60, 50)
    assert (found["plexguard_trash_kept", "1", "Films"], found["plexguard_trash_kept", "2", "Shows"]) == (1, 0)
    assert found["plexguard_trash_emptied_items_total", "2", "Shows"] == 9
    # Plex did not tell.
    assert ("plexguard_trash_items", "2", "Shows") not in found


@pytest.mark.parametrize("hold", [None, HoldView(held=None)])
def test_whether_plex_is_held_is_absent_when_it_cannot_be_told(hold: HoldView | None) -> None:
    assert "plexguard_plex_held" not in names(replace(MEASURED, overview=replace(FULL, hold=hold)))


def test_the_front_door() -> None:
    found = values(MEASURED)
    states = {key[1]: value for key, value in found.items() if key[0] == "plexguard_proxy_breaker_state"}
    assert states == {"closed": 0, "open": 0, "half-open": 1, "unknown": 0}
    assert (found["plexguard_proxy_opened_total",], found["plexguard_proxy_open_seconds_total",]) == (4, 90.5)
    assert found["plexguard_proxy_consecutive_failures", "requests"] == 2
    assert found["plexguard_proxy_consecutive_failures", "checks"] == 3
    assert found["plexguard_proxy_open_info", "down", "checks"] == 1
    assert found["plexguard_proxy_checked_timestamp_seconds",] == NOW.timestamp()
    assert found["plexguard_proxy_since_timestamp_seconds",] == NOW.timestamp() - 3


def test_a_door_of_which_nothing_is_heard_is_unknown_and_not_closed() -> None:
    def of(breaker: Breaker | None) -> dict[tuple[str, ...], float]:
        found = values(replace(MEASURED, overview=replace(FULL, plex=replace(FULL.plex, breaker=breaker))))
        return {key: value for key, value in found.items() if key[0].startswith("plexguard_proxy_")}

    unknown = of(Breaker(state="unknown", opens=4, open_s=90.5, checked=NOW))
    assert [key for key, value in unknown.items() if value == 1] == [("plexguard_proxy_breaker_state", "unknown")]
    # What was counted stays counted, and what is not known is absent.
    assert {key[0] for key in unknown} == {
        f"plexguard_proxy_{name}" for name in ("breaker_state", "opened_total", "open_seconds_total", "checked_timestamp_seconds")
    }
    assert of(None) == {}


def test_a_text_that_somebody_chose_spoils_nothing() -> None:
    latencies = {"identity": 0.1} | {f"level \udcff {number} {'x' * 5000}": 1.0 for number in range(1000)}
    found = render_metrics(replace(MEASURED, overview=replace(FULL, plex=replace(FULL.plex, latencies=latencies))))

    assert b'plexguard_plex_response_seconds{level="identity"} 0.1' in found
    assert len(found) < len(render_metrics(MEASURED)) + 10_000


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({"overview": None}, {"plexguard_plex_up", "plexguard_plex_known", "plexguard_healthy", "plexguard_budget_left"}),
        ({"counts": None}, {"plexguard_events_total", "plexguard_restarts_total", "plexguard_perms_repaired_total"}),
        ({"speed": None}, {"plexguard_speed_download_bytes_per_second", "plexguard_speed_tested_timestamp_seconds"}),
        ({"failed_units": {}}, {"plexguard_unit_failed"}),
        ({"overview": WELL}, {"plexguard_mount_up", "plexguard_cloud_run_cost_euros", "plexguard_backup_made_timestamp_seconds"}),
    ],
)
def test_what_cannot_be_told_is_absent(changes: dict[str, object], absent: set[str]) -> None:
    assert absent <= names(MEASURED)
    assert not absent & names(replace(MEASURED, **changes))


def test_a_plex_that_nobody_knows_of_is_neither_up_nor_down() -> None:
    unknown = Thing(name="plex", title="Plex", state=State.UNKNOWN, summary="not looked at for an hour")
    for overview in (
        replace(FULL, things=(unknown,)),
        replace(FULL, plex=PlexView(verdict="unknown")),
        replace(FULL, things=()),
    ):
        found = values(replace(MEASURED, overview=overview))
        assert found["plexguard_plex_known",] == 0
        assert not {"plexguard_plex_up", "plexguard_plex_response_seconds", "plexguard_plex_viewers"} & {key[0] for key in found}


@pytest.mark.parametrize(("verdict", "up"), [("healthy", 1), ("degraded", 1), ("hung", 0), ("maintenance", 0), ("stopped", 0)])
def test_up_is_whether_it_serves(verdict: str, up: int) -> None:
    overview = replace(WELL, things=(replace(PLEX, state=State.WARNING),), plex=PlexView(verdict=verdict))
    assert values(replace(MEASURED, overview=overview))["plexguard_plex_up",] == up


def test_names_follow_the_conventions() -> None:
    text = render_metrics(MEASURED).decode()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.MULTILINE))
    assert kinds.keys() == helps.keys()
    for name, kind in kinds.items():
        assert re.fullmatch(r"plexguard_[a-z][a-z_]*[a-z]", name)
        assert (kind == "counter") is name.endswith("_total")
        assert not re.search(r"_(ms|milliseconds|mbit|percent|kb|mb|minutes|hours)(_|$)", name)
        assert helps[name].endswith(".")
    assert any(name.endswith(BASE_UNITS) for name in kinds)
    assert "NaN" not in text and "process_" not in text and "python_" not in text


def test_no_secret_in_a_label() -> None:
    Secret("Zz9planted-secret")
    things = (PLEX, Thing(name="x", title="http://x/?X-Plex-Token=Qq8hidden-value Zz9planted-secret", state=State.WELL, summary=""))
    text = render_metrics(replace(MEASURED, overview=replace(FULL, things=things))).decode()
    assert "Qq8hidden" not in text and "Zz9planted" not in text
