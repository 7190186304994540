"""plexguard-status as an administrator runs it. `apply` is only run where it refuses: it would reload this machine."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def status(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plexguard.status", *arguments],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def write(folder: Path, text: str) -> str:
    (folder / "plexguard.toml").write_text(text)
    return str(folder / "plexguard.toml")


def test_check_config_of_a_good_file_says_so(tmp_path: Path) -> None:
    done = status("check-config", "--config", write(tmp_path, '[perms-audit]\nfull_calendar = "Sun 03:00"\n'))

    assert done.returncode == 0
    assert "no mistakes" in done.stdout


def test_check_config_names_every_mistake_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "plexguard.toml.d").mkdir()
    (tmp_path / "plexguard.toml.d/10.toml").write_text('[plex]\nserver = "cloud"\n')

    done = status("check-config", "--config", write(tmp_path, '[perms-audit]\nfile_mode = "999"\ncolor = 1\n[plex-prob]\nx = 1\n'))

    assert done.returncode == 78
    assert len(done.stdout.splitlines()) == 4
    assert '10.toml: [plex] server: found "cloud"' in done.stdout
    assert 'did you mean "plex-probe"?' in done.stdout


def test_check_config_knows_what_is_no_calendar(tmp_path: Path) -> None:
    done = status("check-config", "--config", write(tmp_path, '[perms-audit]\nfull_calendar = "sometimes"\n'))

    assert done.returncode == 78
    assert "sometimes" in done.stdout


def test_check_config_tells_a_credential_that_is_missing(tmp_path: Path) -> None:
    file = write(tmp_path, '[notify.channel.log]\nkind = "webhook"\n[notify.channel.me]\nkind = "mail"\n')

    done = status("check-config", "--config", file)

    assert done.returncode == 1
    assert done.stdout.startswith("/etc/plexguard/credentials/notify.log.url: missing")
    assert len(done.stdout.splitlines()) == 1


def test_check_config_reports_to_programs(tmp_path: Path) -> None:
    done = status("check-config", "--format", "json", "--config", write(tmp_path, '[perms-audit]\nfile_mode = "999"\n'))

    assert len(json.loads(done.stdout)["mistakes"]) == 1


def test_check_config_reads_the_environment_too(tmp_path: Path) -> None:
    assert status("check-config", "--config", write(tmp_path, ""), MTIME_HOURS="soon").returncode == 78


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    assert status("check-config", "--config", str(tmp_path / "missing.toml")).returncode == 78


def test_apply_changes_nothing_with_a_mistake() -> None:
    done = status("apply", MTIME_HOURS="soon")

    assert done.returncode == 78
    assert "applied" not in done.stdout


def test_the_example_has_every_option_commented_and_is_a_configuration_itself(tmp_path: Path) -> None:
    example = status("example-config").stdout

    assert all(not table for table in tomllib.loads(example).values())
    assert status("check-config", "--config", write(tmp_path, example)).returncode == 0


def test_the_examples_defaults_are_accepted_when_they_are_uncommented(tmp_path: Path) -> None:
    # What has a name of its own exists only where somebody gives it one, and may not do without its options.
    example = re.sub(r"(?ms)^#\[[a-z.-]+\.NAME\]$.*?(?=^\[|\Z)", "", status("example-config").stdout)
    lines = example.splitlines()
    uncommented = "\n".join(
        line.removeprefix("#") if line.startswith("#") and " = " in line and line[1] != " " else line for line in lines
    )

    assert any(tomllib.loads(uncommented).values())
    assert status("check-config", "--config", write(tmp_path, uncommented)).returncode == 0
