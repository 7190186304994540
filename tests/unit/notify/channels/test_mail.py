"""Mail as it is written, and what sendmail's exit codes mean."""

import email
import os
from email.policy import default
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plexguard.notify.channels.mail import judge_exit, read_reply, render_mail
from plexguard.notify.config import Channel
from plexguard.notify.message import Away, Refused, Rejected
from tests.unit.notify.messages import HUNG, RECOVERED, changed

CHANNEL = Channel(kind="mail", to=("root", "me@example.org"), sender="plexguard@example.org")


def read(message=HUNG, channel=CHANNEL):
    return email.message_from_bytes(render_mail(message, channel), policy=default)


def test_mail_has_what_a_mail_needs():
    mail = read()
    assert mail["Subject"] == "[tower] Plex hangs"
    assert mail["To"] == "root, me@example.org"
    assert mail["From"] == "plexguard@example.org"
    assert parsedate_to_datetime(mail["Date"]) == HUNG.at.replace(microsecond=0)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Plexguard-Event"] == "plex.hung"
    assert HUNG.message in mail.get_content() and "silence_s: 45.0" in mail.get_content()


def test_message_id_is_the_same_every_time_and_the_recovery_refers_to_it():
    assert read()["Message-ID"] == read()["Message-ID"] == f"<{HUNG.id}.plexguard@tower>"
    assert read(RECOVERED)["In-Reply-To"] == read(RECOVERED)["References"] == read()["Message-ID"]


def test_sender_is_left_to_the_mail_system_unless_named():
    assert read(channel=Channel(kind="mail"))["From"] is None


def test_subject_beyond_ascii_is_encoded():
    raw = render_mail(changed(title="Plex hängt 🎬"), CHANNEL)
    assert raw.isascii()
    assert email.message_from_bytes(raw, policy=default)["Subject"] == "[tower] Plex hängt 🎬"


@given(text=st.text(st.characters(), max_size=400), host=st.text(st.characters(), max_size=40))
def test_no_text_makes_a_header_or_another_recipient(text, host):
    mail = read(changed(title=text, message=text, name=text, severity=text, host=host, id="abc", details={"a": text}))
    names = ["Subject", "To", "From", "Date", "Message-ID", "Auto-Submitted", "X-Plexguard-Event", "X-Plexguard-Severity"]
    assert [name for name, _ in mail.items() if name in names] == names
    assert not {"Bcc", "Cc"} & {name for name, _ in mail.items()}
    assert mail["To"] == "root, me@example.org"


def test_line_end_in_a_title_makes_no_header():
    mail = read(changed(title="x\r\nBcc: you@example.org\r\n\r\nhello", host="a\nBcc: b"))
    assert mail["Bcc"] is None
    assert "you@example.org" in mail["Subject"]


def test_control_characters_stay_out_of_headers():
    mail = read(changed(title="a\x00b\x1b[31mc\u202ed", name="plex.\x07hung"))
    assert mail["Subject"] == "[tower] a b [31mc d"
    assert mail["X-Plexguard-Event"] == "plex. hung"


def test_lines_of_the_mail_are_short_enough_for_smtp():
    raw = render_mail(changed(message="x" * 5000, title="y" * 5000), CHANNEL)
    assert max(map(len, raw.split(b"\n"))) <= 998


@pytest.mark.parametrize(
    "code, kind",
    [
        (os.EX_OK, None),
        (os.EX_TEMPFAIL, Away),
        (os.EX_UNAVAILABLE, Away),
        (os.EX_SOFTWARE, Away),
        (os.EX_IOERR, Away),
        (1, Away),
        (os.EX_USAGE, Refused),
        (os.EX_NOUSER, Refused),
        (os.EX_NOHOST, Refused),
        (os.EX_OSFILE, Refused),
        (os.EX_NOPERM, Refused),
        (os.EX_CONFIG, Refused),
        (os.EX_DATAERR, Rejected),
    ],
)
def test_exit_code_means(code, kind):
    assert type(judge_exit(code, "words")) is (kind or type(None))


def test_missing_program_says_what_to_install():
    assert "apt-get install" in judge_exit(os.EX_OSFILE, "").hint


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"5", b'{"code": "x", "reason": ""}', b'{"code": 0}', b"\xff"], ids=repr)
def test_answer_that_broke_off_is_away(line):
    with pytest.raises(Away):
        read_reply(line)
