"""An event arrives at a journal with all its fields: the socket of journald is ours, in a mount namespace of its own."""

import json

from tests.integration.core.conftest import Run

# Binds where journald listens, sends one event, and prints the datagram's fields as journald would read them
# (systemd.io/JOURNAL_NATIVE_PROTOCOL): "NAME=value\n", or "NAME\n", 64 bits of length, the value and "\n".
SCRIPT = """
    import json, os, socket, struct, subprocess

    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    os.makedirs("/run/systemd/journal")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("/run/systemd/journal/socket")
    listener.settimeout(10)

    from plexguard.core.events import Event, FilePath, Priority
    from plexguard.core.journal import SystemdJournal

    event = Event(
        name="sample.told", message_id="3" * 32, priority=Priority.WARNING, message="{path} {what} {silence_s:.0f}",
        subject="x", meaning="x", decided="x", did="x", action="x", fields={"path": FilePath, "what": str, "silence_s": float, "count": int},
    )

    def tell_it(what):
        SystemdJournal("plexguard-sample").send(event, path=FilePath("/srv/\\udcff"), what=what, silence_s=41.26, count=3)

    tell_it(os.environ["WHAT"].encode().decode("unicode_escape"))
    data, fields = listener.recv(1 << 20), {}
    while data:
        head, _, data = data.partition(b"\\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", data[:8])
            value, data = data[8:8 + length], data[9 + length:]
        fields.setdefault(name.decode(), []).append(value.decode("latin-1"))
    print(json.dumps(fields))
    listener.close()
    tell_it("and nobody listens")
"""


def send(run_mounted: Run, what: str) -> dict[str, list[str]]:
    done = run_mounted(SCRIPT, WHAT=what)
    assert done.returncode == 0, done.stderr
    fields: dict[str, list[str]] = json.loads(done.stdout)
    return fields


def test_event_arrives_with_its_fields_typed_and_the_place_that_sent_it(run_mounted: Run) -> None:
    fields = send(run_mounted, "is gone")

    line = fields.pop("CODE_LINE")
    assert fields == {
        "MESSAGE": ["/srv/\\xff is gone 41"],
        "MESSAGE_ID": ["3" * 32],
        "PRIORITY": ["4"],
        "SYSLOG_IDENTIFIER": ["plexguard-sample"],
        "CODE_FILE": ["<string>"],
        "CODE_FUNC": ["tell_it"],
        "PLEXGUARD": ["1"],
        "PLEXGUARD_EVENT": ["sample.told"],
        "PLEXGUARD_PATH": ["/srv/\xff"],
        "PLEXGUARD_PATH_QUOTED": [r"$'/srv/\xff'"],
        "PLEXGUARD_WHAT": ["is gone"],
        "PLEXGUARD_SILENCE_S": ["41.3"],
        "PLEXGUARD_COUNT": ["3"],
    }
    assert line[0].isdigit()


def test_event_that_nobody_takes_is_no_reason_to_end(run_mounted: Run) -> None:
    done = run_mounted(SCRIPT, WHAT="is gone")

    assert done.returncode == 0
    assert "and nobody listens" in done.stderr


def test_value_with_a_line_end_cannot_forge_a_field(run_mounted: Run) -> None:
    fields = send(run_mounted, "is gone\\nPRIORITY=0\\nMESSAGE=forged")

    assert fields["PRIORITY"] == ["4"]
    assert fields["MESSAGE"] == ["/srv/\\xff is gone\nPRIORITY=0\nMESSAGE=forged 41"]


def test_secrets_and_bytes_that_are_no_text_do_not_arrive_and_do_not_hurt(run_mounted: Run) -> None:
    fields = send(run_mounted, "\\udcff \\x1b[2J X-Plex-Token=abcdefghij")

    assert fields["PLEXGUARD_WHAT"] == ["\\xff \\x1b[2J X-Plex-Token=***"]
    assert fields["MESSAGE"] == ["/srv/\\xff \\xff \\x1b[2J X-Plex-Token=*** 41"]
