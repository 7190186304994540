"""What is written into a unit file is read by the systemd of this machine as it was meant."""

import os
import subprocess
from pathlib import Path

from plexguard.core.units import quote_path

PATHS = [
    "/srv/media",
    "/srv/TV Shows",
    "/srv/Amélie 日本 🎬",
    "/srv/100% %h %%",
    "/srv/\"quoted\" and 'single'",
    "/srv/back\\slash\\x20\\n",
    "/srv/tab\there",
    "/srv/a;b#c=d$e",
    "/srv/-dash +plus",
    "/srv/ends with \\",
]


def test_systemd_reads_the_paths_that_were_quoted(tmp_path: Path) -> None:
    unit = tmp_path / "sample.service"
    lines = [f"ReadWritePaths=-{quote_path(path)}" for path in PATHS]
    unit.write_text("[Service]\nExecStart=/bin/true\n" + "\n".join(lines) + "\n", encoding="utf-8")

    shown = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "debug", "SYSTEMD_LOG_TARGET": "console", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    (read,) = [line for line in (shown.stdout + shown.stderr).splitlines() if "ReadWritePaths: " in line]
    assert read.partition("ReadWritePaths: ")[2] == " ".join("-" + path for path in PATHS)
