"""Metrics: named by the conventions, and what cannot be told is absent."""

import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from plexguard.core.secret import Secret
from plexguard.status.overview import PlexView, State, Thing
from plexguard.status.server.metrics import Measured, render_metrics
from tests.unit.status.server.samples import FULL, MEASURED, PLEX, WELL

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
