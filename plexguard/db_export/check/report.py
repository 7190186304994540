"""What a check found, for people and for programs. Pure."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from plexguard.db_export.check.findings import Finding, Report, Severity

_SURE = {True: "", False: " (not sure)"}
_INDENT = " " * 11


def show(path: Path, report: Report) -> str:
    """Return a report as lines: the verdict, then each finding with what to do about it, the worst first."""
    findings = (line for finding in report.findings for line in _show_finding(finding))
    return "\n".join((f"{path}: {verdict(report)}", *findings))


def verdict(report: Report) -> str:
    """Return a report in a few words."""
    worst = {finding.severity for finding in report.findings}
    if Severity.DAMAGE in worst:
        return "damaged"
    rows = sum(number for name, number in report.rows.items() if not name.startswith("section "))
    return f"sound, {rows} rows" + (", but look at this:" if Severity.WARNING in worst else "")


def _show_finding(finding: Finding) -> Iterable[str]:
    table = f"{finding.table}: " if finding.table else ""
    yield f"  {finding.severity.value:8} {table}{finding.detail}{_SURE[finding.sure]}"
    yield f"{_INDENT}{finding.cure}"


def encode(reports: Mapping[Path, Report]) -> str:
    """Return reports as one JSON object."""
    databases = [
        {
            "path": str(path),
            "sound": report.is_sound,
            "rows": report.rows,
            "findings": [
                {
                    "kind": finding.kind.value,
                    "severity": finding.severity.value,
                    "table": finding.table,
                    "detail": finding.detail,
                    "sure": finding.sure,
                    "cure": finding.cure,
                }
                for finding in report.findings
            ],
        }
        for path, report in reports.items()
    ]
    return json.dumps({"sound": all(report.is_sound for report in reports.values()), "databases": databases})
