"""Who may know whom, who may ask the time, who may catch everything, and that no shell is in between."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.static.tree import module_name, modules, parse

# A program imports itself and core. What is beside that is listed here, with its reason.
ALLOWED: set[tuple[str, str]] = set()
# What asks the time or waits outside of core/clock.py: deadlines of single calls, where a fake clock has no meaning.
TIMERS = {
    ("plexguard.db_export.paths.candidates", "time.monotonic"),  # inside children
    ("plexguard.db_export.paths.pool", "time.monotonic"),  # whether a child is stuck
    ("plexguard.db_export.paths.survey", "time.monotonic"),  # until when it looks
    ("plexguard.core.host", "time.monotonic"),  # deadline of a child process
    ("plexguard.core.state", "time.monotonic"),  # for how long a lock may still be with a child
    ("plexguard.core.state", "time.sleep"),  # the same
    ("plexguard.core.ssh", "time.monotonic"),  # deadline of a command
    ("plexguard.core.rsync", "time.monotonic"),  # deadline of a transfer
    ("plexguard.core.plex_http", "time.monotonic"),  # deadline of one HTTP answer
    ("plexguard.core.wire", "time.monotonic"),  # deadline of one HTTP answer
    ("plexguard.notify.web", "time.monotonic"),  # deadline of one call
    ("plexguard.notify.channels.mail", "time.monotonic"),  # deadline of one call
    ("plexguard.notify.sendmail", "time.monotonic"),  # deadline of one message
    ("plexguard.net_recover.network", "time.monotonic"),  # deadline of questions that are asked at once
    ("plexguard.core.child", "time.monotonic"),  # deadline of a child process
    ("plexguard.core.child", "time.sleep"),  # waiting for a killed one to be gone
    ("plexguard.rclone_watchdog.asking.rc", "time.monotonic"),  # deadline of one call
    ("plexguard.rclone_watchdog.asking.storage", "time.monotonic"),  # deadline of one read
    ("plexguard.rclone_watchdog.asking.through", "time.monotonic"),  # inside workers
    ("plexguard.perms_audit.walk", "time.monotonic"),  # inside workers
    ("plexguard.perms_audit.workers", "time.monotonic"),  # whether one is stuck
}
_TIME_CALLS = {
    *(f"time.{n}" for n in ("time", "time_ns", "sleep", "monotonic", "monotonic_ns", "perf_counter", "clock_gettime")),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}
# The edge of a program and of a child process, and the generator, whose own bug must not fail a boot.
BROAD = {"plexguard.core.program", "plexguard.generator.__main__", "plexguard.core.child"}
_SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "os.spawnlp", "os.execlp"}
_IGNORE = re.compile(r"# (?:type: ignore(?:\[[a-z, -]+\])?|noqa(?:: [A-Z0-9, ]+)?)(?P<reason>  # .+)?$")

EACH = pytest.mark.parametrize("path", modules(), ids=module_name)


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield node.module or ""
            # `from plexguard import core` names a package too.
            if node.module == "plexguard":
                yield from (f"plexguard.{name.name}" for name in node.names)


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def home_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


@EACH
def test_imports_go_one_way(path):
    own = home_of(module_name(path))
    known = {home_of(name) for name in imported(parse(path)) if name.startswith("plexguard.") and name != "plexguard.__version__"}
    foreign = known - {own, "plexguard.core"}
    assert {(own, other) for other in foreign} <= ALLOWED


def test_list_of_allowed_imports_holds_nothing_that_is_gone():
    found = {(home_of(module_name(path)), home_of(name)) for path in modules() for name in imported(parse(path))}
    assert found >= ALLOWED


@pytest.mark.parametrize("path", [p for p in modules() if p.parent.name != "core"], ids=module_name)
def test_no_module_imports_by_name_at_run_time_but_core_suite(path):
    assert "importlib" not in set(imported(parse(path)))


@EACH
def test_only_the_clock_asks_the_time(path):
    name = module_name(path)
    if name == "plexguard.core.clock":
        return
    tree = parse(path)
    called = {dotted(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & _TIME_CALLS
    assert {(name, call) for call in called} <= TIMERS
    # `from time import sleep` would hide a call from this test.
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "time"]


def test_list_of_timers_holds_nothing_that_is_gone():
    found = {
        (module_name(path), dotted(node)) for path in modules() for node in ast.walk(parse(path)) if isinstance(node, ast.Attribute)
    }
    assert found >= TIMERS


@EACH
def test_only_the_edge_catches_everything(path):
    broad = [
        node
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or {"Exception", "BaseException"} & {dotted(n) for n in ast.walk(node.type) if isinstance(n, ast.expr)}
        )
    ]
    assert len(broad) == (1 if module_name(path) in BROAD else 0)


@EACH
def test_no_command_goes_through_a_shell(path):
    calls = [node for node in ast.walk(parse(path)) if isinstance(node, ast.Call)]
    assert not [call for call in calls if dotted(call.func) in _SHELLS]
    assert not [word for call in calls for word in call.keywords if word.arg == "shell"]


@EACH
def test_module_opens_with_what_it_is_for(path):
    assert ast.get_docstring(parse(path))


@EACH
def test_what_a_tool_is_told_to_ignore_has_its_reason_beside_it(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if _IGNORE.search(line) and not _IGNORE.search(line)["reason"]]
