"""The phase with Plex as its unit does it, command by command, on this machine with a fake of Docker and of who is asked."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from plexguard.cloud_run import __main__ as cloud_run
from plexguard.cloud_run.commands.phase import open_book
from plexguard.cloud_run.life import runs
from plexguard.cloud_run.phases import plex, preflight
from plexguard.cloud_run.server.container import NAME
from plexguard.core import program
from plexguard.core.clock import SystemClock
from plexguard.core.found import FoundPlex, Server
from plexguard.core.program import run
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeJournal, FakeManager
from tests.integration.cloud_run.child import OWNER

BIN = Path(__file__).parents[2] / "fakes/bin"
TOKEN = "claim-AbCdEfGhIjKlMnOp1234"
IMAGE = "plexinc/pms-docker:latest"


class JumpingClock(SystemClock):
    """The real time, and what was slept, which took none: ten times as much, so that a wait is over after few looks."""

    slept_s = 0.0

    def monotonic_s(self) -> float:
        return super().monotonic_s() + self.slept_s

    def sleep(self, seconds: float) -> None:
        self.slept_s += 10 * seconds


class Phase:
    """A run named delta on this machine, whose machine is there. asked: what was asked of a person; engine: the fake's folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.engine, self.runtime = folder, folder / "engine", folder / "runtime"
        self.runs, self.prompts = folder / "runs", folder / "prompts"
        for made in (self.engine, self.runtime, self.runs, self.prompts, folder / "credentials"):
            made.mkdir()
        self.config = folder / "plexguard.toml"
        self.config.write_text(f'[cloud-run]\nprovider = "local"\nowner = "{OWNER}"\n')
        self.write_run("")
        self.type()
        self.journal, self.manager = FakeJournal(), FakeManager()
        monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
        monkeypatch.setenv("DOCKER_HOST", f"unix://{self.engine}/docker.sock")
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setenv("STATE_DIRECTORY", str(folder / "state"))
        monkeypatch.setenv("RUNTIME_DIRECTORY", str(self.runtime))
        monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
        for function in (runs.read_run, runs.keep_run):
            monkeypatch.setitem(function.__kwdefaults__, "folder", self.runs)
        monkeypatch.setattr(preflight, "read_plex", lambda _journal: None)
        real = program.open_ports
        ports = {"journal": self.journal, "manager": self.manager, "clock": JumpingClock()}
        monkeypatch.setattr(program, "open_ports", lambda name: replace(real(name), **ports))

    def write_run(self, text: str) -> None:
        """Have the run be another, also when it has begun."""
        for file in (self.runs / "delta.toml", self.folder / "state/delta/run.toml"):
            if file.parent.exists():
                file.write_text(text)

    def type(self, *answers: str) -> None:
        """Have a person type something at each question."""
        (self.prompts / "answers").write_text("".join(f"{answer}\n" for answer in answers))

    def __call__(self, *arguments: str) -> int:
        return run("cloud-run", cloud_run.cli, ["--config", str(self.config), *arguments, "delta"])

    def begin(self) -> None:
        assert [self("phase", "preflight"), self("phase", "instance")] == [0, 0]
        book = open_book(program.open_ports("cloud-run"), "delta")
        for phase in ("mount", "database"):
            book.begin(phase)
            book.end(phase, is_done=False)

    def do(self) -> list[int]:
        """Do what the unit does, each part only after the one before, and return the exit codes."""
        codes: list[int] = []
        for part in (("prepare", "plex"), ("ask-claim",), ("phase", "plex")):
            codes.append(self(*part))
            if codes[-1] != 0:
                break
        return codes

    @property
    def commands(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.engine / "asked").read_text().splitlines()]

    @property
    def questions(self) -> int:
        asked = self.prompts / "asked"
        return len(asked.read_text().splitlines()) if asked.exists() else 0

    @property
    def state(self) -> dict[str, object]:
        return dict(json.loads((self.folder / "state/delta/state.json").read_text()))

    @property
    def failure(self) -> str:
        return str(self.journal.values("cloud.run-failed")["reason"])


@pytest.fixture
def unbegun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phase:
    return Phase(tmp_path, monkeypatch)


@pytest.fixture
def phase(unbegun: Phase) -> Phase:
    unbegun.begin()
    return unbegun


def test_image_is_pulled_then_somebody_is_asked_then_plex_starts_and_belongs_to_them(phase: Phase) -> None:
    phase.type(TOKEN)

    codes = phase.do()

    assert codes == [0, 0, 0]
    assert (phase.engine / "images").read_text() == f"{IMAGE}\n"
    assert (phase.engine / "claimed").read_text() == TOKEN
    assert phase.questions == 1 and phase.journal.values("cloud.claim-asked")["limit"] == "3min"
    assert phase.state["line"] == "ready: Plex 1.43.4.10903-e5521bd8c"
    # Nothing of it is left, and it was never anywhere but in files that are gone.
    assert [path for path in phase.runtime.rglob("*") if path.is_file()] == []
    assert TOKEN not in (phase.engine / "asked").read_text() + (phase.folder / "state/delta/state.json").read_text()
    assert TOKEN not in str(phase.journal.sent)
    config = next((phase.engine / "runs").glob("plexguard.home.delta.*/config"))
    assert config.stat().st_uid == 1000


def test_image_that_is_there_is_not_pulled(phase: Phase) -> None:
    (phase.engine / "images").write_text(f"{IMAGE}\n")
    phase.type(TOKEN)

    assert phase.do() == [0, 0, 0]
    assert not [words for words in phase.commands if words[0] == "pull"]


def test_without_an_answer_the_run_fails_in_words_and_nothing_was_started(phase: Phase) -> None:
    codes = phase.do()

    assert codes == [0, 0, 75]
    assert "Nobody gave a claim token within 3min" in phase.failure and "from a terminal" in phase.failure
    assert "plex.account-token" in str(phase.journal.values("cloud.run-failed")["hint"])
    assert not (phase.engine / "run").exists() and phase.state["phase"] == "failed"


def test_answer_that_is_none_is_asked_for_twice_more(phase: Phase) -> None:
    phase.type("hello", "hello", "hello", TOKEN)

    assert phase.do() == [0, 0, 75]
    assert phase.questions == 3


def test_account_that_is_known_is_asked_and_no_person(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    (phase.folder / "credentials/plex.account-token").write_text("account-token-of-mine\n")
    given: list[str] = []
    monkeypatch.setattr(plex, "fetch_claim", lambda account, _clock: given.append(account.reveal()) or Secret(TOKEN))

    assert phase.do() == [0, 0, 0]
    assert (given, phase.questions) == (["account-token-of-mine"], 0)
    assert (phase.engine / "claimed").read_text() == TOKEN


def test_server_with_an_account_of_its_own_needs_no_token(phase: Phase) -> None:
    phase("prepare", "plex")
    (data,) = (phase.engine / "runs").glob("plexguard.home.delta.*/config")
    folder = data / "Library/Application Support/Plex Media Server"
    folder.mkdir(parents=True)
    (folder / "Preferences.xml").write_text('<Preferences MachineIdentifier="x" PlexOnlineToken="abc"/>')
    (phase.engine / "claimed").touch()

    assert phase.do() == [0, 0, 0]
    assert phase.questions == 0 and "PLEX_CLAIM_FILE" not in (phase.engine / "run").read_text()


def test_run_that_wants_no_account_is_ready_without_one(phase: Phase) -> None:
    phase.write_run('claim = "never"\n')

    assert phase.do() == [0, 0, 0]
    assert phase.questions == 0 and not (phase.engine / "claimed").exists()


def test_run_that_is_taken_up_again_finds_plex_and_asks_nobody(phase: Phase) -> None:
    phase.type(TOKEN)
    phase.do()

    assert phase.do() == [0, 0, 0]
    assert phase.questions == 1
    assert len([words for words in phase.commands if words[:2] == ["run", "--detach"]]) == 1


@pytest.mark.parametrize("labels", ["{}", '{"org.plexguard.lease": "plexguard.home.other.20260101T000000Z"}'])
def test_container_of_others_is_left_alone(phase: Phase, labels: str) -> None:
    others = f'{{"Id": "c9", "Name": "/{NAME}", "Config": {{"Image": "i", "Labels": {labels}}}, "State": {{"Status": "running"}}}}'
    (phase.engine / "container.json").write_text(others)

    assert phase.do() == [71]
    assert "not of this run" in phase.failure
    assert phase("release", "plex") == 0
    assert (phase.engine / "container.json").read_text() == others
    assert not [words for words in phase.commands if words[0] in ("stop", "rm")]


def test_limit_that_the_engine_refuses_is_told_in_words(phase: Phase) -> None:
    phase.type(TOKEN)
    (phase.engine / "refusal").write_text("NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler")

    assert phase.do() == [0, 0, 71]
    assert "cannot limit a container" in phase.failure and "NanoCPUs" in phase.failure
    assert phase.journal.values("cloud.run-failed")["hint"] == "set limited = false in the run's file"
    # What it left is gone after the release, and so is the token.
    assert phase("release", "plex") == 0
    assert not (phase.engine / "container.json").exists()
    assert [path for path in phase.runtime.rglob("*") if path.is_file()] == []


def test_limits_are_those_of_the_machine_unless_there_are_to_be_none(phase: Phase) -> None:
    phase.type(TOKEN, TOKEN)
    phase.do()
    limited = (phase.engine / "run").read_text()
    (phase.engine / "container.json").unlink()
    phase.write_run("limited = false\n")
    phase.do()

    assert all(f"--{name}=" in limited for name in ("memory", "memory-swap", "cpus"))
    assert "--memory" not in (phase.engine / "run").read_text()


def test_image_that_is_not_there_is_told_at_once(unbegun: Phase) -> None:
    phase = unbegun
    phase.write_run('image = "me/absent:1"\n')
    phase.begin()

    assert phase.do() == [71]
    assert "no such image" in phase.failure
    assert len([words for words in phase.commands if words[0] == "pull"]) == 1


def test_plex_that_does_not_become_ready_is_told_with_the_last_lines_of_its_log(phase: Phase) -> None:
    phase.type(TOKEN)
    (phase.engine / "unready").touch()

    assert phase.do() == [0, 0, 69]
    assert "not ready after 5min: Plex does not answer yet" in phase.failure
    assert "line 24" in phase.failure and "line 5" in phase.failure and "line 4 " not in phase.failure


def test_plex_that_did_not_take_the_token_is_told_before_the_time_is_over(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    phase.type(TOKEN)
    start = plex.Engine.start
    # As an image does that knows PLEX_CLAIM alone.
    monkeypatch.setattr(plex.Engine, "start", lambda engine, wanted: start(engine, replace(wanted, claim_folder="")))

    assert phase.do() == [0, 0, 75]
    assert "did not take the claim token within 2min" in phase.failure


def test_release_stops_and_removes_what_this_run_has_started(phase: Phase) -> None:
    phase.type(TOKEN)
    phase.do()

    assert phase("release", "plex") == 0
    assert not (phase.engine / "container.json").exists()
    assert ["stop", "-t", "60", NAME] in phase.commands


def test_release_on_a_shutdown_leaves_plex_at_work(phase: Phase) -> None:
    phase.type(TOKEN)
    phase.do()
    phase.manager.stopping = True

    assert phase("release", "plex") == 0
    assert (phase.engine / "container.json").exists()


def test_plex_that_cannot_be_stopped_is_told(phase: Phase) -> None:
    phase.type(TOKEN)
    phase.do()
    (phase.engine / "mode").write_text("away")

    assert phase("release", "plex") == 1
    assert "does not run" in str(phase.journal.values("cloud.plex-left")["reason"])


def test_plex_at_home_that_does_not_tell_its_version_ends_the_run_before_anything_is_had(
    unbegun: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = unbegun
    home = FoundPlex(server=Server.UNIT, url="http://127.0.0.1:1")
    monkeypatch.setattr(preflight, "read_plex", lambda _journal: home)

    assert phase("phase", "preflight") == 69
    assert "does not tell its version" in phase.failure
    phase.write_run(f'image = "{IMAGE}"\n')
    assert phase("phase", "preflight") == 0
