"""What operators copy: the container with its health check, hooks of download programs with their right, a page with a video."""

import os
import re
import shutil
import subprocess

import pytest

from plexguard.proxy.config import Config
from plexguard.proxy.kinds import span_ms
from tests.static.tree import (
    DOCKER,
    EXAMPLES,
    LIBEXEC,
    ROOT,
    UNITS,
    health_command,
    page_file,
    page_text,
    plex_service,
    read_unit,
    services,
)

CLIENT = EXAMPLES / "browser-client"
HOOKS = sorted(EXAMPLES.glob("*-hook"))
RULES = EXAMPLES / "60-plexguard-hooks.rules"
HEALTH_FOLDER = "/run/plexguard/health"
INSTALLED = "/usr/share/doc/plexguard/examples"


def dockerfile_health() -> tuple[dict[str, str], str]:
    """Return the options and the command of the Dockerfile's HEALTHCHECK."""
    text = (DOCKER / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    (instruction,) = re.findall(r"^HEALTHCHECK (.+)$", text, re.MULTILINE)
    options, _, command = instruction.partition(" CMD ")
    return dict(re.findall(r"--([\w-]+)=(\S+)", options)), " ".join(command.split())


def test_health_check_has_its_figures():
    check = plex_service()["healthcheck"]
    del check["test"]
    assert check == {"interval": "30s", "timeout": "5s", "retries": 3, "start_period": "40s"}


def test_both_ways_to_have_the_health_check_are_the_same():
    check = plex_service()["healthcheck"]
    options, command = dockerfile_health()
    assert options == {name.replace("_", "-"): str(check[name]) for name in ("interval", "timeout", "retries", "start_period")}
    assert command == " ".join(health_command().split())


def test_health_check_is_the_same_text_in_a_shell_and_in_compose():
    # Compose would replace variables.
    assert "$" not in health_command()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_of_the_health_check():
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "-"], input=health_command(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout + done.stderr == ""


def test_container_is_the_one_that_plexguard_looks_for_and_comes_back_after_a_boot():
    service = plex_service()
    assert (service["container_name"], service["restart"], service["stop_grace_period"]) == ("plex", "unless-stopped", "60s")
    # Compose prefers it to `restart`, and gives up for good after a few failures.
    assert "deploy" not in service


def test_container_sees_the_folder_of_the_flag_and_mounts_that_come_later():
    volumes = [volume.split(":") for volume in plex_service()["volumes"]]
    assert [HEALTH_FOLDER, HEALTH_FOLDER, "ro"] in volumes
    assert [options for source, target, *options in volumes if target == "/data"] == [["ro,rslave"]]


@pytest.mark.parametrize(
    "unit", [u for u in services() if u.value("Service", "RuntimeDirectory") == "plexguard"], ids=lambda unit: unit.name
)
def test_no_unit_takes_away_what_is_published(unit):
    """A folder that is removed and made anew is not the one that a container sees."""
    assert unit.value("Service", "RuntimeDirectoryPreserve") == "yes"
    assert unit.value("Service", "RuntimeDirectoryMode") == "0755"


def test_there_is_a_hook_for_each_download_program():
    assert [hook.name for hook in HOOKS] == ["qbittorrent-hook", "radarr-hook", "sonarr-hook"]


@pytest.mark.parametrize("file", [*HOOKS, *LIBEXEC.iterdir()], ids=lambda file: file.name)
def test_script_can_be_run(file):
    assert os.access(file, os.X_OK)
    assert file.read_text(encoding="utf-8").startswith("#!/bin/sh\n# ")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook.name)
def test_hook_names_what_is_there(hook):
    text = hook.read_text(encoding="utf-8")
    assert f"{INSTALLED}/{hook.name} " in text
    assert RULES.name in text
    assert re.findall(r"/usr/libexec/plexguard/([\w-]+)", text) == ["start-audit"]
    assert (LIBEXEC / "start-audit").exists()


def test_examples_are_where_their_comments_say():
    installed = dict(line.split() for line in (ROOT / "debian/plexguard.install").read_text(encoding="utf-8").splitlines())
    assert installed["packaging/examples/*-hook"] == INSTALLED.lstrip("/")
    assert installed["packaging/libexec/*"] == "usr/libexec/plexguard"


def test_page_and_its_module_are_installed_together_and_need_nothing_else():
    texts = {path.name: path.read_text(encoding="utf-8") for path in CLIENT.iterdir()}
    assert sorted(texts) == ["guarded-video.js", "index.html"]
    installed = dict(line.split() for line in (ROOT / "debian/plexguard.install").read_text(encoding="utf-8").splitlines())
    assert installed["packaging/examples/browser-client/*"] == f"{INSTALLED}/browser-client".lstrip("/")
    assert f"{INSTALLED}/browser-client" in page_text(page_file("plexguard-proxy(8)"))
    assert re.findall(r"""(?:from|import\()\s*["']([^"']+)""", "".join(texts.values())) == ["./guarded-video.js"]
    assert not re.findall(r"""(?:src|href)="(?!data:,")[^"]""", texts["index.html"])


@pytest.mark.parametrize("file", sorted(CLIENT.iterdir()), ids=lambda file: file.name)
def test_page_never_makes_html_of_a_text_and_writes_no_log(file):
    text = file.read_text(encoding="utf-8")
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|console\.", text)


def test_times_of_the_module_are_those_of_the_manual():
    module = (CLIENT / "guarded-video.js").read_text(encoding="utf-8")
    defaults = {name: int(value.replace("_", "")) for name, value in re.findall(r"^  (\w+): ([\d_]+),$", module, re.MULTILINE)}
    assert (defaults["attempts"], defaults["wait_ms"], defaults["total_ms"]) == (3, 2000, 60_000)
    # How long the front door lets Plex take for its first byte.
    assert (defaults["list_ms"], defaults["file_ms"]) == tuple(
        span_ms(limit) for limit in (Config().metadata_limit, Config().media_limit)
    )


def test_right_of_the_hooks_is_to_start_the_audit_of_a_folder():
    rule = re.sub(r"^\s*//.*$", "", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    condition = re.search(r"if \((.*?)\) \{\s*return polkit\.Result\.YES;", rule, re.DOTALL)
    assert condition is not None
    assert [part.strip() for part in condition[1].split("&&")] == [
        'action.id == "org.freedesktop.systemd1.manage-units"',
        '["sonarr", "radarr", "qbittorrent"].indexOf(subject.user) >= 0',
        'action.lookup("verb") == "start"',
        r'/^plexguard-perms-audit@[A-Za-z0-9:_.\\-]+\.service$/.test(action.lookup("unit"))',
    ]
    assert rule.count("polkit.Result") == 1
    assert (UNITS / "plexguard-perms-audit@.service").exists()


def test_umask_lets_everybody_read():
    drop_in = read_unit(EXAMPLES / "sonarr.service.d/50-umask.conf")
    assert [(line.section, line.name, line.value) for line in drop_in.lines] == [("Service", "UMask", "0022")]


@pytest.mark.parametrize("file", sorted(path for path in (EXAMPLES / "mounts").rglob("*") if path.is_file()), ids=lambda f: f.name)
def test_what_the_examples_of_mounts_name_is_there(file):
    text = file.read_text(encoding="utf-8")
    named = re.findall(rf"{INSTALLED}/mounts/([^\s\\]+)", text)
    assert all((EXAMPLES / "mounts" / name).is_file() for name in named)
    units = re.findall(r"(plexguard-[\w-]+@)(?:media|%i)\.service", text)
    assert all((UNITS / f"{unit}.service").exists() for unit in units)
    assert not re.search(r"(?:key_id|access_key|token|pass(?:word)?) = ?\S", text)


def test_plex_never_needs_its_mount():
    """It would be ended under the viewers of other libraries, and not start in an outage at boot."""
    drop_in = read_unit(EXAMPLES / "mounts/plexmediaserver.service.d/60-mount.conf")
    assert {line.name for line in drop_in.lines} == {"Wants", "After"}
    assert drop_in.value("Unit", "After") == "mount-proven@media.service"
    waits = read_unit(EXAMPLES / "mounts/mount-proven@.service")
    assert "After" not in {line.name for line in waits.lines}
    assert waits.value("Service", "ExecStart").startswith("-/usr/bin/timeout 120 ")
