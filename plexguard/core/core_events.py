"""What any program of the suite can tell the journal about itself."""

from plexguard.core.events import Event, FilePath, Priority

PROGRAM_FAILED = Event(
    name="program.failed",
    message_id="62ec64d5f8284507b3a252d9a87b0819",
    priority=Priority.ERR,
    message="{program} stopped: {reason} (try: {hint})",
    subject="{program} could not do its work",
    fields={"program": str, "reason": str, "hint": str, "exit_code": int},
    about=("program",),
    meaning="""
        {program} could not do its work, and no later step of this run was taken: {reason}
        """,
    decided="""
        This is a failure that the program knows. Its exit code {exit_code} follows sysexits(3): 64 usage, 65 bad data, 66
        missing input, 69 a service is away, 71 the system refused, 74 input/output, 75 try again, 76 protocol, 77 permission,
        78 configuration.
        """,
    did="""
        It ended at once. What it had done before is kept: every action is counted on disk before it is taken. A timer runs
        the program again at its next time, and a service that stays is started again after 5 s, unless the code is 64, 77 or
        78, which no new start can mend.
        """,
    action="""
        Try what may help:
          {hint}
        The runs before and after this one:
          journalctl -u 'plexguard*' --since -1d
          systemctl list-timers 'plexguard*'
        """,
)

PROGRAM_BUG = Event(
    name="program.bug",
    message_id="b01dc79c631e4578893cc8d79ea00505",
    priority=Priority.CRIT,
    message="{program} met a bug of its own: {error}\n{traceback}",
    subject="{program} has a bug",
    fields={"program": str, "error": str, "traceback": str},
    about=("program",),
    meaning="""
        {program} has a bug: it came to a place that its authors thought impossible. {error}
        """,
    decided="""
        An error that the program does not know reached its outermost frame. The entry holds the traceback.
        """,
    did="""
        It ended at once with exit code 70. A timer or the service manager starts it again. Nothing that it had begun is
        repeated blindly: every action is counted on disk before it is taken.
        """,
    action="""
        Please report the lines of this entry. They hold no secrets that plexguard knows, but read them before you pass them
        on:
          journalctl -p crit -u 'plexguard*'
        Until it is mended the program can be turned off, here by its timer or its service:
          systemctl list-units 'plexguard*'
        """,
)

CONFIG_INVALID = Event(
    name="config.invalid",
    message_id="14b5ede14f8847efb081db10550fa7fb",
    priority=Priority.ERR,
    message="{mistake}",
    subject="The configuration has a mistake",
    fields={"program": str, "mistake": str},
    about=("program",),
    meaning="""
        A value of the configuration cannot be used, so {program} does not do its work: {mistake}
        """,
    decided="""
        The file and its drop-ins are read and checked as a whole before anything is touched. Each mistake is an event of its
        own. A service tells the same mistakes once, not at each run.
        """,
    did="""
        Nothing at all: {program} ended with exit code 78. A timer runs it again at its next time, which ends the same way; a
        service that stays is not started again by itself.
        """,
    action="""
        Mend the value, see that all is well, and make it known:
          editor /etc/plexguard/plexguard.toml
          plexguard-status check-config
          plexguard-status apply
        """,
)

CONFIG_NOT_APPLIED = Event(
    name="config.not-applied",
    message_id="f14cd361635b4b08a0b056d10efe6b76",
    priority=Priority.ERR,
    message="{mistake}",
    subject="The units stand as they were shipped",
    fields={"program": str, "mistake": str},
    meaning="""
        What the configuration would change in the units does not hold, such as when a timer runs or where an audit may write:
        {mistake}
        """,
    decided="""
        {program} reads the configuration at boot and whenever the service manager reads its units again. It found this
        mistake, each of which is an event of its own, or failed to read something that it needs.
        """,
    did="""
        No drop-in was written, for any unit: all units run on as they were shipped. The boot goes on. It forgets what it told, so
        that it is told at each reload, and its end is not.
        """,
    action="""
        Mend the value, see that all is well, and make it known:
          editor /etc/plexguard/plexguard.toml
          plexguard-status check-config
          plexguard-status apply
        """,
)

CONFIG_VALID = Event(
    name="config.valid",
    message_id="552165b4984f4573b2afa14a7800f889",
    priority=Priority.NOTICE,
    message="The configuration of {program} has no mistake any more",
    subject="The configuration has no mistake any more",
    fields={"program": str},
    about=("program",),
    ends=("config.invalid",),
    meaning="""
        {program} can do its work again: the mistakes that it told in its configuration are mended.
        """,
    decided="""
        It read its section, [plex] and the names of all others, and found nothing wrong in them.
        """,
    did="""
        It forgot which mistakes it had told, and does its work.
        """,
    action="""
        Before a change is made to hold, see what is wrong with it:
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
    about=("path",),
    meaning="""
        A program found its own state unusable, and has forgotten what was in it: what it counted, such as a budget of
        restarts, begins anew.
        """,
    decided="""
        {path} was read and is not what this version writes: {reason}.
        """,
    did="""
        The file was moved to {aside}, over an older one that was set aside before. The program went on as if it ran for the
        first time.
        """,
    action="""
        Look at what was kept, and delete it when it tells you nothing:
          cat {aside_quoted}
        If it happens again, see whether the disk is full or reports errors:
          df -h /var/lib/plexguard
          journalctl -k -p err --since -1d
        """,
)
