"""What is shipped for Prometheus and Grafana: tools read it without a word, and it names metrics that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from plexguard.status.server.metrics import render_metrics
from tests.static.tree import ROOT
from tests.unit.status.server.samples import MEASURED

PROMETHEUS = ROOT / "packaging/prometheus"
RULES = PROMETHEUS / "plexguard.rules.yml"
RULE_TESTS = PROMETHEUS / "plexguard.rules.test.yml"
DASHBOARD = ROOT / "packaging/grafana/plexguard.json"
NEEDS_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*arguments: str, text: bytes = b"", folder: Path = PROMETHEUS) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["promtool", *arguments], input=text, capture_output=True, timeout=60, cwd=folder)


def exported() -> set[str]:
    return set(re.findall(r"^(plexguard_\w+)", render_metrics(MEASURED).decode(), re.MULTILINE))


def rules() -> list[dict[str, object]]:
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, object]]:
    return json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


def named_in(text: str) -> set[str]:
    # Not the title, the job, nor the names of units.
    return set(re.findall(r"\bplexguard_\w+", text))


@NEEDS_PROMTOOL
def test_promtool_has_nothing_to_say_about_the_metrics():
    done = promtool("check", "metrics", text=render_metrics(MEASURED))
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


@NEEDS_PROMTOOL
def test_promtool_notices_a_bad_metric():
    bad = b"# HELP plexguard_bad_total x\n# TYPE plexguard_bad_total gauge\nplexguard_bad_total 1\n"
    assert promtool("check", "metrics", text=render_metrics(MEASURED) + bad).returncode != 0


@NEEDS_PROMTOOL
def test_rules_are_rules_and_do_what_their_tests_say():
    assert promtool("check", "rules", RULES.name).returncode == 0
    done = promtool("test", "rules", RULE_TESTS.name)
    assert done.returncode == 0, done.stdout + done.stderr


@NEEDS_PROMTOOL
@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_a_rule_that_never_fires_fails_its_tests(rule, tmp_path):
    text = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for other in text["groups"][0]["rules"]:
        if other["alert"] == rule["alert"]:
            other["expr"] = "vector(1) == 0"
    (tmp_path / RULES.name).write_text(yaml.safe_dump(text), encoding="utf-8")
    shutil.copy(RULE_TESTS, tmp_path)
    assert promtool("test", "rules", RULE_TESTS.name, folder=tmp_path).returncode != 0


@NEEDS_PROMTOOL
def test_example_configuration_is_one():
    assert promtool("check", "config", "--syntax-only", "prometheus.yml").returncode == 0


def test_rules_name_metrics_that_exist():
    assert named_in(" ".join(str(rule["expr"]) for rule in rules())) <= exported()


def test_every_rule_says_what_to_do():
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert "{{ $labels.instance }}" in rule["annotations"]["summary"]
        assert re.search(r"systemctl |journalctl |plexguard-[a-z]", rule["annotations"]["description"])


def test_dashboard_names_metrics_that_exist():
    text = DASHBOARD.read_text(encoding="utf-8")
    assert named_in(text) and named_in(text) <= exported()


def test_panels_are_told_apart_and_do_not_overlap():
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids)) >= 10
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels())
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24


def test_every_metric_of_importance_is_on_the_dashboard_or_in_a_rule():
    shown = named_in(DASHBOARD.read_text(encoding="utf-8")) | named_in(RULES.read_text(encoding="utf-8"))
    for name in (
        "plexguard_plex_up",
        "plexguard_plex_response_seconds",
        "plexguard_mount_up",
        "plexguard_restarts_total",
        "plexguard_proxy_breaker_state",
    ):
        assert name in shown
