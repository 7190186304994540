"""The report, for people and programs."""

import json
from pathlib import Path

from plexguard.db_export.check.findings import Kind, Report, damage, note, warning, worst_first
from plexguard.db_export.check.report import encode, show

PATH = Path("/plex/library.db")
FINDINGS = (
    note(Kind.BLOATED, "many free pages"),
    warning(Kind.FULL_TEXT, "differs", table="fts", sure=False),
    damage(Kind.TABLE, "broken", table="media_parts"),
)


def test_sound_database_is_a_line() -> None:
    report = Report(findings=(), rows={"tags": 3, "media_parts": 4, "section 1": 4})
    assert show(PATH, report) == "/plex/library.db: sound, 7 rows"


def test_findings_follow_with_what_to_do() -> None:
    lines = show(PATH, Report(findings=worst_first(FINDINGS))).splitlines()
    assert lines[0] == "/plex/library.db: damaged"
    assert lines[1:3] == ["  damage   media_parts: broken", "           plexguard-db-export repair"]
    assert lines[3] == "  warning  fts: differs (not sure)"


def test_each_finding_is_told_once_and_damage_first() -> None:
    assert worst_first((*FINDINGS, *FINDINGS)) == tuple(reversed(FINDINGS))


def test_json_has_the_same() -> None:
    told = json.loads(encode({PATH: Report(findings=FINDINGS), Path("/b"): Report(findings=())}))
    assert (told["sound"], [one["sound"] for one in told["databases"]]) == (False, [False, True])
    assert told["databases"][0]["findings"][1] == {
        "kind": "full-text",
        "severity": "warning",
        "table": "fts",
        "detail": "differs",
        "sure": False,
        "cure": FINDINGS[1].cure,
    }
