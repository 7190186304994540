"""Mail of plexguard-notify on a booted machine with real mail systems, each of which gets its rights by set-id bits."""

import email
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from tests.machine import READY, Machine, installed
from tests.system.conftest import assert_clean_journal, configure

pytestmark = pytest.mark.machine

CONFIG = '[notify.channel.me]\nkind = "mail"\nto = ["me@example.org"]\nsender = "plexguard@example.org"\n'
INBOX = "/var/tmp/inbox"
# Takes what is sent to it over SMTP, a file a mail.
SINK = f"""[Service]
ExecStart=/usr/bin/python3 -m aiosmtpd -n -l 127.0.0.1:2525 -c aiosmtpd.handlers.Mailbox {INBOX}
"""
# What of the sandbox of plexguard-notify.service matters here.
SANDBOX = [
    "systemd-run",
    "--wait",
    "--pipe",
    "--quiet",
    "-p",
    "User=plexguard",
    "-p",
    "NoNewPrivileges=yes",
    "-p",
    "PrivateUsers=yes",
    "-p",
    "CapabilityBoundingSet=",
]
SETUP = {
    "postfix": "postconf -e relayhost=[127.0.0.1]:2525 mydestination= inet_interfaces=loopback-only && systemctl restart postfix",
    # self = send: the sink is on this very machine, to which exim would not send.
    "exim4-daemon-light": "sed -i -e 's/^dc_eximconfig_configtype=.*/dc_eximconfig_configtype=satellite/' "
    "-e 's/^dc_smarthost=.*/dc_smarthost=127.0.0.1::2525/' /etc/exim4/update-exim4.conf.conf && "
    "sed -i 's/^  driver = manualroute/&\\n  self = send/' /etc/exim4/exim4.conf.template && update-exim4.conf && systemctl restart exim4",
    "dma": "printf 'SMARTHOST 127.0.0.1\\nPORT 2525\\n' > /etc/dma/dma.conf",
}


@pytest.fixture(params=list(SETUP))
def mailing(request: pytest.FixtureRequest, deb: Path) -> Iterator[Machine]:
    tree = READY.with_packages(request.param, "python3-aiosmtpd")
    with Machine(installed(tree, deb), allow_degraded=True) as machine:
        machine.write("/etc/systemd/system/sink.service", SINK)
        machine.systemctl("daemon-reload")
        machine.systemctl("start", "sink.service")
        machine.run(["sh", "-c", SETUP[request.param]])
        configure(machine, CONFIG)
        yield machine


def mails(machine: Machine) -> list[EmailMessage]:
    names = machine.run(["sh", "-c", f"ls {INBOX}/new/* 2>/dev/null"], check=False).stdout.split()
    return [email.message_from_string(machine.read(name), policy=default) for name in names]


def test_mail_leaves_a_sandbox_that_sendmail_itself_could_not_leave(mailing):
    done = mailing.run([*SANDBOX, "plexguard-notify", "test", "me"], timeout_s=60)
    assert done.stdout == "me: taken\n"
    (mail,) = mailing.wait_for(lambda: mails(mailing), timeout_s=30, what="a mail arrives")
    assert mail["To"] == "me@example.org" and mail["From"] == "plexguard@example.org"
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"]
    # Why there is a service for it: in this sandbox sendmail may write nowhere. postfix tries for ever.
    refused = mailing.run(
        [*SANDBOX, "-p", "ProtectSystem=strict", "sh", "-c", "printf 'To: me@example.org\\n\\nx\\n' | timeout 5 sendmail -i -t"],
        check=False,
    )
    assert refused.returncode != 0
    assert len(mails(mailing)) == 1
    assert not [unit for unit in mailing.failed_units() if "plexguard" in unit]
    assert_clean_journal(mailing)


def test_machine_without_a_mail_system_says_what_to_install(machine):
    configure(machine, CONFIG)
    done = machine.run(["plexguard-notify", "test", "me"], check=False)
    assert done.returncode == 1
    assert "Failed to run /usr/sbin/sendmail" in done.stdout and "apt-get install" in done.stdout
    machine.systemctl("stop", "plexguard-mail.socket")
    done = machine.run(["plexguard-notify", "test", "me"], check=False)
    assert "systemctl enable --now plexguard-mail.socket" in done.stdout


def test_nobody_else_may_send(machine):
    configure(machine, CONFIG)
    done = machine.run(["plexguard-notify", "test", "me"], user="nobody", check=False)
    assert done.returncode == 1 and "Permission denied" in done.stdout
    assert not machine.journal("plexguard-mail@*")
