"""The suite as one file, on a machine where nothing of it is installed."""

import subprocess
import zipfile
from pathlib import Path

import plexguard
from plexguard.core.zipped import zip_suite


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it as a machine does that knows no other plexguard: isolated, from another folder."""
    file = folder / "plexguard.pyz"
    file.write_bytes(zip_suite())
    command = ["/usr/bin/python3", "-I", str(file), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


def test_programs_run_from_it(tmp_path):
    version = run(tmp_path, "rclone-watchdog", "--version")
    page = run(tmp_path, "rclone-watchdog", "--help")

    assert (version.returncode, version.stdout) == (0, f"plexguard-rclone-watchdog {plexguard.__version__}\n")
    assert page.returncode == 0 and "Prove that mounts are alive" in page.stdout


def test_it_knows_its_mounts_from_a_file(tmp_path):
    (tmp_path / "there.toml").write_text('[rclone.media]\nremote = "s3:media"\nmount_point = "/Media"\n')

    done = run(tmp_path, "rclone-watchdog", "--config", str(tmp_path / "there.toml"))

    assert (done.returncode, done.stdout) == (0, "media: s3:media at /Media\n")


def test_same_package_makes_the_same_file_with_all_that_is_in_it(tmp_path):
    made = zip_suite()
    (tmp_path / "suite").write_bytes(made)
    package = Path(plexguard.__file__).parent

    with zipfile.ZipFile(tmp_path / "suite") as archive:
        names = set(archive.namelist())

    wanted = {str(file.relative_to(package.parent)) for file in package.rglob("*") if file.is_file()}
    assert names == {name for name in wanted if "__pycache__" not in name} | {"__main__.py"}
    assert zip_suite() == made
    # It is carried over a home's line.
    assert len(made) < sum((package.parent / name).stat().st_size for name in names - {"__main__.py"}) / 2
