"""The claim token: whether one is needed, how it is asked for, where it lies."""

import os

import pytest

from plexguard.cloud_run.server.claim import Mailbox, Source, ask_person, choose_source, is_claim
from plexguard.core.errors import IoFailed
from plexguard.core.host import Completed
from plexguard.core.secret import Secret
from tests.fakes.ports import FakeClock, FakeHost

TOKEN = "claim-AbCdEfGhIjKlMnOp1234"


def test_person_is_asked_only_where_nothing_else_does():
    assert choose_source("never", has_identity=False, has_account=True) is Source.NONE
    assert choose_source("ask", has_identity=True, has_account=True) is Source.NONE
    assert choose_source("ask", has_identity=False, has_account=True) is Source.ACCOUNT
    assert choose_source("ask", has_identity=False, has_account=False) is Source.PERSON


@pytest.mark.parametrize("text", ["", "claim-", TOKEN + " x", "Claim-AbCdEfGhIjKlMnOp1234", "claim-../../etc/passwd", "x" * 20])
def test_other_texts_are_no_claim_tokens(text):
    assert is_claim(TOKEN) and not is_claim(text)


class Person:
    """Types answers, each after a minute; after the last, nothing."""

    def __init__(self, *answers: str) -> None:
        self.clock = FakeClock()
        self.answers = list(answers)
        self.host = FakeHost({"systemd-ask-password": self._answer})

    def _answer(self, _argv):
        self.clock.pass_time(60)
        if not self.answers:
            return Completed(code=1, stdout="", stderr="Failed to query password: Timer expired")
        return Completed(code=0, stdout=self.answers.pop(0) + "\n", stderr="")

    def ask(self, limit_s: float = 180.0) -> Secret | None:
        return ask_person(self.host, self.clock, run="delta", limit_s=limit_s)


def test_question_says_what_for_which_run_and_where_from():
    person = Person(TOKEN)

    token = person.ask()

    (argv,) = person.host.ran
    assert token is not None and token.reveal() == TOKEN
    assert "--timeout=180" in argv and "--no-tty" in argv
    assert "delta" in argv[-1] and "https://plex.tv/claim" in argv[-1]


def test_wrong_answer_is_asked_for_again_in_the_time_that_is_left():
    person = Person("hello", TOKEN)

    assert person.ask() is not None
    assert [argv[2] for argv in person.host.ran] == ["--timeout=180", "--timeout=120"]
    assert person.host.ran[1][-1].startswith("That is no claim token.")


@pytest.mark.parametrize(("answers", "questions"), [(("a", "b", "c", TOKEN), 3), ((), 1)], ids=["three wrong ones", "nobody"])
def test_asking_has_an_end(answers, questions):
    person = Person(*answers)

    assert person.ask(600.0) is None
    assert len(person.host.ran) == questions


def test_no_question_is_asked_when_the_time_is_over():
    person = Person("a", "b", "c")

    assert person.ask(90.0) is None
    assert len(person.host.ran) == 2


def test_token_is_handed_over_until_it_is_of_no_more_use(tmp_path):
    mailbox = Mailbox(tmp_path)
    assert not mailbox.is_wanted and mailbox.take() is None
    mailbox.want()
    assert mailbox.is_wanted

    mailbox.put(Secret(TOKEN))
    (answer,) = tmp_path.glob("claim-answer")
    assert answer.stat().st_mode & 0o777 == 0o600
    taken = mailbox.take()

    assert taken is not None and taken.reveal() == TOKEN
    # A line that is lost just then has it taken again.
    assert mailbox.take() is not None
    mailbox.clear()
    assert list(tmp_path.iterdir()) == [] and mailbox.take() is None


def test_token_is_not_written_where_a_link_leads(tmp_path):
    other = tmp_path / "other"
    other.write_text("mine")
    os.symlink(other, tmp_path / "claim-answer")

    with pytest.raises(IoFailed):
        Mailbox(tmp_path).put(Secret(TOKEN))
    assert other.read_text() == "mine"
