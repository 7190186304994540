"""What is shipped beside the code: made files are up to date, the catalog compiles, rights name exactly what they give."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from plexguard.core import config, suite
from plexguard.core.config import DEFAULT_PATH, Settings
from plexguard.core.options import options
from plexguard.core.secret import ADMIN_CREDENTIALS
from plexguard.core.state import RUNTIME_ROOT, STATE_ROOT
from plexguard.db_export.config import ARCHIVES
from plexguard.plex_probe.observe import RESTART_UNIT
from tests import generate
from tests.static.tree import COMPLETIONS, MAN, ROOT, UNITS, files

CATALOG = ROOT / "packaging/catalog/plexguard.catalog"
POLKIT = ROOT / "packaging/polkit/50-plexguard.rules"


@pytest.mark.parametrize(
    ("unit", "answer"),
    [
        ("plexguard-rclone@media.service", "0"),
        ("plexguard-rclone-watchdog@media.service", "0"),
        ("plexguard-status.service", ""),
        ("rclone.service", ""),
    ],
)
def test_needrestart_leaves_mounts_alone(unit, answer):
    # As needrestart(1) reads its configuration, and asks it about a unit; "" is what it does by itself.
    script = (
        "our %nrconf = (override_rc => {}); eval do { local (@ARGV, $/) = $ARGV[0]; <> }; die $@ if $@;"
        "for my $re (keys %{$nrconf{override_rc}}) { print $nrconf{override_rc}{$re} if $ARGV[1] =~ /$re/ }"
    )
    command = ["perl", "-we", script, str(ROOT / "packaging/needrestart.d/plexguard.conf"), unit]
    assert subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout == answer


def test_catalog_is_what_the_events_make():
    assert generate.CATALOG.read_text(encoding="utf-8") == generate.render_catalog(), "run `make generate`"


def test_example_configuration_is_what_the_options_make():
    assert generate.EXAMPLE.read_text(encoding="utf-8") == generate.render_example(), "run `make generate`"


def test_completion_of_zsh_is_what_the_commands_make():
    assert generate.ZSH.read_text(encoding="utf-8") == generate.render_zsh(), "run `make generate`"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_table_of_rights_is_what_the_units_make():
    text = generate.README.read_text(encoding="utf-8")
    assert "| `plexguard-perms-audit` | root |" in text
    assert text == generate.render_readme(), "run `make generate`"


def test_example_configuration_is_a_working_one(tmp_path):
    # Both as shipped, with every option a comment, and with all of them uncommented.
    text = generate.render_example()
    for name, content in (("shipped", text), ("uncommented", re.sub(r"^#(\w+ = )", r"\1", text, flags=re.MULTILINE))):
        file = tmp_path / f"{name}.toml"
        file.write_text(content, encoding="utf-8")
        settings = config.read(file, {})
        taken = [settings.take(section) for section in suite.sections()]
        settings.check(suite.section_names())
        assert taken == [section() for section in suite.sections()]
    assert sum(len(options) for options in settings.values.values()) == sum(len(options(s)) for s in suite.sections())


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not installed")
def test_catalog_compiles_with_every_event(tmp_path):
    folder = tmp_path / "usr/lib/systemd/catalog"
    folder.mkdir(parents=True)
    shutil.copy(CATALOG, folder)
    for arguments in (["--update-catalog"], ["--list-catalog"]):
        command = ["journalctl", f"--root={tmp_path}", "--no-pager", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True)
        assert done.stderr == ""
    listed = dict(line.split(" plexguard: ") for line in done.stdout.splitlines())
    assert set(listed) == {event.message_id for event in suite.events()}


def test_catalog_fits_a_terminal():
    # A field is replaced by its value, so only lines without one can be held to a width.
    rows = CATALOG.read_text(encoding="utf-8").splitlines()
    assert not [row for row in rows if len(row) > 72 and "@" not in row and not row.startswith((" ", "Subject:", "#"))]


def read_rules():
    text = re.sub(r"^\s*//.*$", "", POLKIT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [f"polkit.addRule{rule}" for rule in text.split("polkit.addRule")[1:]]


@pytest.mark.parametrize(
    ("number", "user", "allowed", "instead"),
    [
        (
            1,
            "plexguard-media",
            {f"plexguard-rclone{stem}@.service" for stem in ("", "-cover", "-inside")},
            "plexguard-rclone-watchdog",
        ),
        (
            2,
            "plexguard-cloud",
            {
                "plexguard-cloud-run@.service",
                "plexguard-cloud-apply@.service",
                "plexguard-rclone-watchdog@.service",
                "plexguard-db-export.service",
            },
            "plexguard-cloud-instance",
        ),
    ],
    ids=["watchers of mounts", "runs in the cloud"],
)
def test_polkit_rule_names_exactly_the_units_of_its_user(number, user, allowed, instead):
    rule = read_rules()[number]
    condition = re.search(r"if \((.*?)\) \{\s*return polkit\.Result\.YES;", rule, re.DOTALL)
    assert condition is not None
    *parts, unit = [part.strip() for part in condition[1].split("&&")]
    assert parts == [
        'action.id == "org.freedesktop.systemd1.manage-units"',
        f'subject.user == "{user}"',
        'action.lookup("verb") == "start"',
    ]
    pattern = re.fullmatch(r'/(.*)/\.test\(action\.lookup\("unit"\)\)', unit)
    assert pattern is not None
    assert {file.name for file in UNITS.iterdir() if re.search(pattern[1], file.name.replace("@.", "@films."))} == allowed
    stem = min((name for name in allowed if "@" in name), key=len).removesuffix("@.service")
    for name in (f"{instead}@films.service", f"{stem}@../x.service", f"{stem}@a.service\nb"):
        assert not re.search(pattern[1].replace("$", r"\Z"), name)
    assert rule.count("polkit.Result") == 1


def test_polkit_rule_of_the_probe_names_exactly_the_restart():
    rule = read_rules()[0]
    assert re.findall(r'"([^"]*\.(?:service|timer|target))"', rule) == [RESTART_UNIT]
    assert (UNITS / RESTART_UNIT).exists()
    condition = re.search(r"if \((.*?)\) \{\s*return polkit\.Result\.YES;", rule, re.DOTALL)
    assert condition is not None
    assert [part.strip() for part in condition[1].split("&&")] == [
        'action.id == "org.freedesktop.systemd1.manage-units"',
        'subject.user == "plexguard"',
        'action.lookup("verb") == "start"',
        f'action.lookup("unit") == "{RESTART_UNIT}"',
    ]
    assert rule.count("polkit.Result") == 1


def test_folders_are_those_of_the_code():
    lines = (ROOT / "packaging/tmpfiles.d/plexguard.conf").read_text(encoding="utf-8").splitlines()
    made = {line.split()[1]: line.split()[2] for line in lines if not line.startswith("#")}
    # Who may read the secrets is root alone.
    assert made == {
        str(RUNTIME_ROOT): "0755",
        str(STATE_ROOT): "0755",
        str(ADMIN_CREDENTIALS): "0700",
        str(RUNTIME_ROOT / "health"): "0755",
        str(RUNTIME_ROOT / "health/README"): "0644",
        str(Path(ARCHIVES).parent): "0755",
        # Whoever runs Plex in the cloud may read what it begins with.
        ARCHIVES: "2750",
    }


def test_package_ships_every_file_of_packaging():
    rules = (ROOT / "debian/plexguard.install").read_text(encoding="utf-8").split()
    pages = (ROOT / "debian/plexguard.manpages").read_text(encoding="utf-8").split()
    linked = [str(link.resolve().relative_to(ROOT)) for link in (ROOT / "debian").iterdir() if link.is_symlink()]
    patterns = [*rules[::2], *pages, *linked]
    for file in files():
        path = file.relative_to(ROOT)
        if path.parts[0] in ("packaging", "units"):
            assert [pattern for pattern in patterns if path.match(pattern)], f"{path} is in no package"


def test_package_installs_the_configuration_where_it_is_read():
    assert f"packaging/config/{DEFAULT_PATH.name} {str(DEFAULT_PATH.parent).lstrip('/')}" in (
        ROOT / "debian/plexguard.install"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("module", "debian", "pip"),
    [
        ("aiohttp", "python3-aiohttp", "aiohttp"),
        ("click", "python3-click", "click"),
        ("prometheus_client", "python3-prometheus-client", "prometheus_client"),
        ("psutil", "python3-psutil", "psutil"),
        ("requests", "python3-requests", "requests"),
        ("sdnotify", "python3-sdnotify", "sdnotify"),
        ("systemd", "python3-systemd", "systemd-python"),
    ],
)
def test_package_depends_on_what_the_code_imports_and_nothing_else(module, debian, pip):
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "plexguard").rglob("*.py")]
    used = any(re.search(rf"^\s*(?:import|from) {module}\b", text, re.MULTILINE) for text in sources)
    assert used is (f"{debian}," in (ROOT / "debian/control").read_text(encoding="utf-8").partition("\nPackage:")[2])
    assert used is (f'"{pip}>=' in (ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def shell_files() -> list[Path]:
    found = []
    for file in files():
        with file.open("rb") as opened:
            head = opened.read(40)
        if file.parent == COMPLETIONS or re.match(rb"#! ?/(?:usr/)?bin/(?:env )?(?:ba|da)?sh\b", head):
            found.append(file)
    return found


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("file", shell_files(), ids=lambda file: file.name)
def test_shellcheck_has_nothing_to_say(file):
    done = subprocess.run(
        ["shellcheck", str(file)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout + done.stderr == ""


def test_an_empty_file_configures_everything():
    settings = Settings({}, [], {})
    assert [settings.take(section) for section in suite.sections()] == [section() for section in suite.sections()]
    settings.check(suite.section_names())


def test_pages_are_found_by_the_package():
    assert {file.suffix for file in MAN.iterdir()} == {".5", ".7", ".8"}


def test_what_stays_is_stopped_before_its_files_go():
    script = (ROOT / "debian/plexguard.prerm").read_text(encoding="utf-8")

    assert set(re.findall(r"plexguard-[\w-]+\.service", script)) == set(suite.daemon_units())
