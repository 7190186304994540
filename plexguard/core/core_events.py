"""What any program of the suite can tell the journal about itself."""

from plexguard.core.events import Event, FilePath, Priority

PROGRAM_FAILED = Event(
    name="program.failed",
    message_id="62ec64d5f8284507b3a252d9a87b0819",
    priority=Priority.ERR,
    message="{program} stopped: {reason} (try: {hint})",
    subject="{program} could not do its work",
    fields={"program": str, "reason": str, "hint": str, "exit_code": int},
    meaning="""
        The program met a failure that it knows and cannot mend by itself, and ended without doing anything further:
        {reason}
        Its exit code {exit_code} follows sysexits(3): 64 usage, 66 missing input, 69 a service is away, 71 the system
        refused, 74 input/output, 75 try again, 76 protocol, 77 permission, 78 configuration.
        """,
    action="""
        What may help:
          {hint}
        The runs before and after this one:
          journalctl -u 'plexguard*'
        """,
)

PROGRAM_BUG = Event(
    name="program.bug",
    message_id="b01dc79c631e4578893cc8d79ea00505",
    priority=Priority.CRIT,
    message="{program} met a bug of its own: {error}\n{traceback}",
    subject="{program} has a bug",
    fields={"program": str, "error": str, "traceback": str},
    meaning="""
        The program came to a place that its authors thought impossible. It stopped at once; a timer or the service
        manager starts it again. Nothing that it had begun is repeated blindly: every action is counted on disk before it
        is taken.
        """,
    action="""
        Please report the lines of this entry. They hold no secrets, but read them before you pass them on:
          journalctl -p crit -u 'plexguard*'
        """,
)

CONFIG_INVALID = Event(
    name="config.invalid",
    message_id="14b5ede14f8847efb081db10550fa7fb",
    priority=Priority.ERR,
    message="{mistake}",
    subject="The configuration has a mistake",
    fields={"program": str, "mistake": str},
    meaning="""
        The configuration was read and checked before anything was touched. This value is wrong, so {program} did
        nothing at all:
        {mistake}
        """,
    action="""
        Mend the value, see that all is well, and make it known:
          plexguard-status check-config
          plexguard-status apply
        """,
)

STATE_SET_ASIDE = Event(
    name="state.set-aside",
    message_id="825a68a19e4d4f6f94abc25eaf709324",
    priority=Priority.WARNING,
    message="{path} could not be used and was moved to {aside}: {reason}",
    subject="A state file was set aside",
    fields={"path": FilePath, "aside": FilePath, "reason": str},
    meaning="""
        A program found its state torn, foreign or written by another version of plexguard. It moved the file aside and
        went on without it, as if it ran for the first time: what it counted (a restart budget) begins anew.
        """,
    action="""
        Look at what was kept, and delete it when it tells you nothing:
          cat {aside_quoted}
        If it happens again, the disk below it deserves a look.
        """,
)
