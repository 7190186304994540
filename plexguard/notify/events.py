"""What plexguard-notify can tell the journal."""

from plexguard.core.events import Event, Kept, Priority

_PAGE = "plexguard-notify(8)"

CHANNEL_FAILED = Event(
    name="notify.channel-failed",
    message_id="a1c9c2785b6a4763b2cbba432d5fbb5d",
    priority=Priority.ERR,
    message="Channel {channel} takes no messages: {reason}",
    subject="A channel takes no messages",
    page=_PAGE,
    fields={"channel": str, "reason": str},
    about=("channel",),
    meaning="""
        Messages to channel {channel} are not taken: {reason}. Nobody is told anything over it until it works again.
        """,
    decided="""
        Three tries in a row failed, over a minute or more; or the service says that it is configured wrongly, which is told at
        once. It is told once an outage.
        """,
    did="""
        All messages are kept, in order. They are tried again after 5 seconds at first and every 10 minutes at last, or when the
        service asks for it. Other channels are not held up.
        """,
    action="""
        See what is waiting. When the configuration or a credential was wrong, mend it, then apply it and try at once:
          plexguard-notify queue list
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
          plexguard-notify test {channel}
          plexguard-notify queue retry {channel}
        """,
)

CHANNEL_RECOVERED = Event(
    name="notify.channel-recovered",
    message_id="568daf762b554384bb2337438b26758f",
    priority=Priority.NOTICE,
    message="Channel {channel} takes messages again after {downtime_s:.0f} s",
    subject="A channel takes messages again",
    page=_PAGE,
    fields={"channel": str, "downtime_s": float},
    about=("channel",),
    ends=("notify.channel-failed",),
    meaning="""
        Channel {channel} has taken a message again. It was away for {downtime_s} seconds.
        """,
    decided="""
        The service took what it was sent, for the first time since channel {channel} was told to have failed.
        """,
    did="""
        What was kept for it is being delivered, in order and no faster than the service bears.
        """,
    action="""
        Nothing needs to be done. What is still waiting:
          plexguard-notify queue list
        """,
)

EVENT_REJECTED = Event(
    name="notify.event-rejected",
    message_id="1955cea67e934119a729d5c4b3df8a0a",
    priority=Priority.WARNING,
    message="Channel {channel} does not take an event {rejected}: {reason}",
    subject="A channel does not take one event",
    page=_PAGE,
    fields={"channel": str, "reason": str, "rejected": str, "rejected_id": str},
    about=("channel", "rejected"),
    meaning="""
        The service behind channel {channel} does not take the event {rejected} ({rejected_id}): {reason}.
        """,
    decided="""
        It was sent alone and rejected, and the event after it was taken: so it is this event and not the channel.
        """,
    did="""
        It was set aside, and the events after it are delivered. It is still in the journal.
        """,
    action="""
        See what it says, and tell the authors if it should have been taken:
          cat /var/lib/plexguard/notify/rejected.jsonl
          journalctl PLEXGUARD_EVENT={rejected}
        """,
)

DROPPED = Event(
    name="notify.dropped",
    message_id="f4beb004ae114f69835131b4d807e116",
    priority=Priority.WARNING,
    message="{count} events were dropped that not every channel had taken: more than {limit_bytes} bytes were waiting",
    subject="Events were dropped before they were delivered",
    page=_PAGE,
    fields={"count": int, "limit_bytes": int},
    meaning="""
        A channel has been away for so long that more was waiting for it than spool_limit allows ({limit_bytes} bytes). The {count}
        oldest events were dropped.
        """,
    decided="""
        Every ten seconds the files below /var/lib/plexguard/notify/spool are added up, less those that all channels have passed.
        """,
    did="""
        The next message to each channel that missed some says how many, and between when. They are still in the journal.
        """,
    action="""
        See which channel is away. What was dropped can be read in the journal:
          plexguard-notify queue list
          journalctl PLEXGUARD=1
        If it should keep more, raise spool_limit in [notify]; a channel that is not needed any more is best taken out:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

JOURNAL_GAP = Event(
    name="notify.journal-gap",
    message_id="492bb204f068444fa6f81b556d3727f3",
    priority=Priority.WARNING,
    message="The journal does not go back to {since}, up to where it was read: events in between may not have been delivered",
    subject="The journal was trimmed before it was read",
    page=_PAGE,
    fields={"since": str},
    meaning="""
        The last entry that was taken from the journal, of {since}, is not there any more. Events that were told after it may
        have been trimmed before they were read, so that nobody was told of them.
        """,
    decided="""
        The journal was asked for the place that is kept on disk, and gave another one.
        """,
    did="""
        It goes on with the oldest entry that is left after that place.
        """,
    action="""
        It comes after the service was off for long, or the journal is very small. See how far it goes back:
          journalctl --list-boots
          journalctl --disk-usage
        """,
)

SPOOL_FAILED = Event(
    name="notify.spool-failed",
    message_id="16c5e410d23c46619cf00bb26f02a55a",
    priority=Priority.ERR,
    message="Events cannot be kept for delivery: {reason}",
    subject="Events cannot be kept for delivery",
    page=_PAGE,
    fields={"reason": str},
    kept=Kept.RUN,
    meaning="""
        What is to be delivered is kept on disk first, and that does not work: {reason}. What is not on disk yet is not delivered
        meanwhile, nor is anything over a channel whose state cannot be read.
        """,
    decided="""
        The journal could not be read, or what is below /var/lib/plexguard/notify could not be read or written. It is told once,
        until it works again.
        """,
    did="""
        It is tried again every few seconds, from the place in the journal where it stopped: what the journal keeps is not lost.
        """,
    action="""
        Most often the disk is full. A state that cannot be read is best moved away: its channel is a new one then.
          df /var/lib/plexguard
          ls -l /var/lib/plexguard/notify /var/lib/plexguard/notify/channels
          journalctl --disk-usage
        """,
)

SPOOL_RECOVERED = Event(
    name="notify.spool-recovered",
    message_id="33928a4582b14cf68373dd11523d295b",
    priority=Priority.NOTICE,
    message="Events are kept and delivered again after {downtime_s:.0f} s",
    subject="Events are kept for delivery again",
    page=_PAGE,
    fields={"downtime_s": float},
    ends=("notify.spool-failed",),
    meaning="""
        What is to be delivered is kept again, after {downtime_s} seconds. What was told meanwhile was read from the journal.
        """,
    decided="""
        The journal was read and its events were written to disk, for the first time since it was told that they cannot be.
        """,
    did="""
        What is waiting is being delivered, in order.
        """,
    action="""
        Nothing needs to be done. What is waiting:
          plexguard-notify queue list
        """,
)

NO_CHANNELS = Event(
    name="notify.no-channels",
    message_id="d984b01f29324df0a3bfb19133f8c484",
    priority=Priority.INFO,
    message="No channel is configured, so nobody is told anything (man plexguard-notify)",
    subject="Nobody is told anything",
    page=_PAGE,
    meaning="""
        Notifications need an address. None is configured, so the service ended, as it should.
        """,
    decided="""
        The configuration was read; it has no [notify.channel.NAME]. It is told once.
        """,
    did="""
        Nothing. `plexguard-status apply` starts the service when a channel is configured.
        """,
    action="""
        Name a channel, as [notify.channel.NAME], then start it and send a message as a trial:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
          plexguard-notify test
        """,
)

UNIT_FAILED = Event(
    name="unit.failed",
    message_id="f397d38de51a46ee9dacb8d1ca5acf3d",
    priority=Priority.ERR,
    message="{failed_unit} failed ({result}, {ended}){lines}",
    subject="{failed_unit} failed",
    page=_PAGE,
    fields={"failed_unit": str, "result": str, "ended": str, "lines": str},
    about=("failed_unit",),
    meaning="""
        The manager of services says that {failed_unit} failed: {result} (systemd.service(5), "RESULT"); its process ended with
        {ended}. What it wrote last is in this entry.
        """,
    decided="""
        The unit names plexguard-alert@.service as its OnFailure=, which the manager starts when a unit stays failed. A service that
        stays running tells of itself each time it ends so, with ExecStopPost=. One that ended as it may is none of both.
        """,
    did="""
        This entry was written. A unit with a timer runs again when that elapses, and a service that stays is started again by the
        manager after seconds, unless it ended with 64, 77 or 78: no restart can help there.
        """,
    action="""
        See what led to it:
          systemctl status {failed_unit}
          journalctl -x -u {failed_unit}
        """,
)
