"""What a rented machine is told, judged by the shells that read it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.cloud_run.first_boot.test_user_data import TOLD, scripts


@pytest.mark.parametrize("image", ["", "plexinc/pms-docker:latest", "odd; rm -rf /"], ids=["no image", "an image", "an odd image"])
def test_scripts_are_ones_that_a_shell_reads(image: str, tmp_path: Path) -> None:
    for script in scripts(replace(TOLD, image=image)):
        subprocess.run(["sh", "-n", "-c", script], check=True)
        (tmp_path / "script").write_text(f"#!/bin/sh\n{script}")
        subprocess.run(["shellcheck", "-S", "warning", str(tmp_path / "script")], check=True)
        assert "set -eu" in script
