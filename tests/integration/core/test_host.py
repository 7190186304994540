"""Commands are run to their end or to their deadline, with real processes that lie, hang and flood."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from plexguard.core.host import MAX_OUTPUT_BYTES, CommandFailed, CommandMissing, CommandTimeout, LocalHost
from tests.integration.core.conftest import environment, python
from tests.waiting import await_true

HOST = LocalHost()


def is_gone(pid: int) -> bool:
    """Tell whether a process ended; one that its new parent did not wait for yet ended too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


# -- run --------------------------------------------------------------------------------------------------------------


def test_command_gives_what_it_printed_on_either_output() -> None:
    done = HOST.run(sh("echo out; echo err >&2"), timeout_s=10)

    assert (done.code, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_command_gets_its_arguments_untouched_by_any_shell() -> None:
    odd = "a b;$(reboot) 'c' \"d\" *"

    assert HOST.run(["printf", "%s", odd], timeout_s=10).stdout == odd


def test_stdin_is_closed() -> None:
    assert HOST.run(["cat"], timeout_s=10).stdout == ""


def test_output_that_is_no_text_is_replaced() -> None:
    assert HOST.run(["printf", "a\\377b"], timeout_s=10).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_command_runs_in_one_language_and_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")

    names = dict(line.partition("=")[::2] for line in HOST.run(["env"], timeout_s=10).stdout.splitlines())

    assert names["LC_ALL"] == names["LANG"] == "C.UTF-8"
    assert "NOTIFY_SOCKET" not in names


@pytest.mark.parametrize("command", ["/nowhere/at-all", "plexguard-no-such-command", "/etc/passwd", "/etc"])
def test_command_that_cannot_be_run_is_missing(command: str) -> None:
    with pytest.raises(CommandMissing, match=f"Failed to run {command}: "):
        HOST.run([command], timeout_s=10)


def test_code_other_than_zero_raises_with_command_code_and_last_lines() -> None:
    with pytest.raises(CommandFailed, match=r"exit code 3: 2 / 3 / 4$") as told:
        HOST.run(sh("printf '1\\n2\\n3\\n4\\n' >&2; exit 3"), timeout_s=10)

    assert str(told.value).startswith("sh -c ")


def test_failure_tells_stdout_where_stderr_is_silent() -> None:
    with pytest.raises(CommandFailed, match="exit code 1: only here"):
        HOST.run(sh("echo only here; exit 1"), timeout_s=10)


def test_code_is_given_where_it_is_asked_for() -> None:
    assert HOST.run(sh("exit 3"), timeout_s=10, check=False).code == 3
    assert HOST.run(sh("kill -9 $$"), timeout_s=10, check=False).code == -9


@pytest.mark.parametrize("stream", ["1", "2"], ids=["stdout", "stderr"])
def test_output_over_the_bound_is_dropped_and_the_command_still_ends(stream: str) -> None:
    done = HOST.run(sh(f"head -c {3 * MAX_OUTPUT_BYTES} /dev/zero >&{stream}"), timeout_s=30)

    kept = len(done.stdout) + len(done.stderr)
    assert done.code == 0
    assert MAX_OUTPUT_BYTES <= kept <= MAX_OUTPUT_BYTES + 65536


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60",
        "exec >&- 2>&-; sleep 60",
        "while :; do echo x; done",
        "yes",
        "while :; do printf x; sleep 0.02; done",
    ],
    ids=["silent", "closed its outputs", "flood of a shell", "flood", "drip"],
)
def test_command_that_overruns_its_deadline_is_ended(script: str) -> None:
    began = time.monotonic()

    with pytest.raises(CommandTimeout, match=r"no end within 0.3 s"):
        HOST.run(sh(script), timeout_s=0.3)

    # It would otherwise have gone on for a minute or for ever.
    assert time.monotonic() - began < 30


def test_deadline_ends_grandchildren_too(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout):
        HOST.run(sh(f"(sleep 60 & echo $! > {tmp_path}/pid; wait) & wait"), timeout_s=0.5)

    pid = int((tmp_path / "pid").read_text())
    await_true(lambda: is_gone(pid))


def test_command_that_ignores_the_signal_to_end_is_killed(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout):
        HOST.run(sh(f"trap '' TERM; echo $$ > {tmp_path}/pid; exec sleep 60"), timeout_s=0.5)

    assert is_gone(int((tmp_path / "pid").read_text()))


def test_child_that_was_left_behind_with_the_output_is_ended_at_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(CommandTimeout):
        HOST.run(sh(f"sleep 60 & echo $! > {tmp_path}/pid; exit 0"), timeout_s=0.3)

    pid = int((tmp_path / "pid").read_text())
    await_true(lambda: is_gone(pid))


def test_program_that_is_interrupted_takes_its_command_along(tmp_path: Path) -> None:
    caller = subprocess.Popen(
        python(f"""
            from plexguard.core.host import LocalHost
            LocalHost().run(["sh", "-c", "echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60"], timeout_s=60)
        """),
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    await_true((tmp_path / "pid").exists)

    caller.send_signal(signal.SIGINT)

    caller.wait(timeout=10)
    pid = int((tmp_path / "pid").read_text())
    await_true(lambda: is_gone(pid))


def test_many_commands_leave_no_descriptor_open() -> None:
    HOST.run(["true"], timeout_s=10)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(20):
        HOST.run(["true"], timeout_s=10)

    assert len(os.listdir("/proc/self/fd")) == before


# -- follow -----------------------------------------------------------------------------------------------------------


def test_lines_are_given_one_by_one_of_either_output() -> None:
    stream = HOST.follow(sh("echo one; echo two >&2; printf 'three\\n\\nfive\\n'; sleep 60"))
    try:
        assert [stream.read_line(10) for _ in range(5)] == ["one", "two", "three", "", "five"]
        assert stream.read_line(0.1) is None
    finally:
        stream.close()


def test_line_that_comes_in_pieces_is_given_whole(tmp_path: Path) -> None:
    stream = HOST.follow(sh(f"printf 'first half '; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo and second; sleep 60"))
    try:
        assert stream.read_line(0.3) is None
        (tmp_path / "go").touch()
        await_true(lambda: bool(line := stream.read_line(0.0)) and line == "first half and second")
    finally:
        stream.close()


@pytest.mark.parametrize("script", ["cat /dev/zero", "while :; do printf x; done"], ids=["flood", "drip"])
def test_output_without_an_end_of_line_does_not_hold_the_reader(script: str) -> None:
    stream = HOST.follow(sh(script))
    began = time.monotonic()
    try:
        assert stream.read_line(0.3) is None
    finally:
        stream.close()

    assert time.monotonic() - began < 30


def test_command_that_ends_is_told_after_its_last_line() -> None:
    stream = HOST.follow(sh("echo last; printf 'no end of line'; exit 4"))
    try:
        assert stream.read_line(10) == "last"
        for _ in range(2):
            with pytest.raises(CommandFailed, match="ended with code 4: no end of line"):
                stream.read_line(10)
    finally:
        stream.close()


def test_command_that_closes_its_output_and_stays_counts_as_ended() -> None:
    stream = HOST.follow(sh("exec >&- 2>&-; sleep 60"))
    try:
        with pytest.raises(CommandFailed):
            stream.read_line(10)
    finally:
        stream.close()


def test_close_ends_the_command_and_its_children(tmp_path: Path) -> None:
    stream = HOST.follow(sh(f"sleep 60 & echo $! > {tmp_path}/pid; echo ready; wait"))
    assert stream.read_line(10) == "ready"

    stream.close()

    pid = int((tmp_path / "pid").read_text())
    await_true(lambda: is_gone(pid))


def test_following_a_command_that_is_missing_says_so() -> None:
    with pytest.raises(CommandMissing):
        HOST.follow(["/nowhere/at-all"])


# -- hold -------------------------------------------------------------------------------------------------------------


def test_command_is_held_for_as_long_as_the_context_lasts(tmp_path: Path) -> None:
    with HOST.hold(sh(f"echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec cat")):
        await_true((tmp_path / "pid").exists)
        pid = int((tmp_path / "pid").read_text())
        assert not is_gone(pid)

    await_true(lambda: is_gone(pid))


def test_held_command_ends_when_its_holder_is_killed(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        python(f"""
            import time
            from plexguard.core.host import LocalHost
            with LocalHost().hold(["sh", "-c", "echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec cat"]):
                time.sleep(60)
        """),
        env=environment(),
    )
    await_true((tmp_path / "pid").exists)

    holder.kill()
    holder.wait(timeout=10)

    pid = int((tmp_path / "pid").read_text())
    await_true(lambda: is_gone(pid))
