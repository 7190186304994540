"""What plexguard-cloud-run can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-cloud-run(8)"
_ABOUT = ("run", "zone")
_PLACE = {"run": str, "zone": str}

INSTANCE_CREATED = Event(
    name="cloud.instance-created",
    message_id="ec98266b94194181b63269df7c9a688e",
    priority=Priority.NOTICE,
    message="A machine is rented for {run}: {type} in {zone}, {hourly_euros} EUR an hour, until {deadline} at the latest",
    subject="A machine was rented",
    page=_PAGE,
    fields={**_PLACE, "type": str, "server": str, "hourly_euros": str, "deadline": str},
    about=_ABOUT,
    meaning="""
        A machine of type {type} runs in {zone} for the run {run}, and costs {hourly_euros} euros an hour without tax. Its id
        there is {server}.
        """,
    decided="""
        The run asked for it, the estimate was within its limit, and the lease was on disk before anything was asked for.
        """,
    did="""
        The machine bears the names of its owner and its run, and its deadline, {deadline}. When nothing holds it any more, or
        the deadline is over, it is given back.
        """,
    action="""
        What is rented, and what it has cost until now:
          plexguard-cloud-run cost
        Give it back:
          plexguard-cloud-run destroy {run}
        """,
)

INSTANCE_DESTROYED = Event(
    name="cloud.instance-destroyed",
    message_id="4a38cf89f9ae4657b37658682d75adc2",
    priority=Priority.NOTICE,
    message="All that was rented for {run} in {zone} is given back: {what} ({why})",
    subject="All that was rented for a run is given back",
    page=_PAGE,
    fields={**_PLACE, "what": str, "why": str, "cost_euros": str},
    about=_ABOUT,
    ends=("cloud.orphan-found", "cloud.destroy-failed"),
    meaning="""
        Nothing of the run {run} is left in {zone}. It was: {what}. Cost, as far as it can be told: {cost_euros} euros.
        """,
    decided="""
        It was given back, since {why}. A listing made after that shows no machine, no volume and no address of this run.
        """,
    did="""
        The lease of the run was removed, and its cost was noted.
        """,
    action="""
        What runs have cost, and whether anything else is there:
          plexguard-cloud-run cost
          plexguard-cloud-run orphans
        """,
)

ORPHAN_FOUND = Event(
    name="cloud.orphan-found",
    message_id="c3d7664f232f44859d76abd55b70a29c",
    priority=Priority.WARNING,
    message="Paid for and held by nobody: {what} of {run} in {zone}, since {why}",
    subject="Something is rented that nobody holds",
    page=_PAGE,
    fields={**_PLACE, "what": str, "why": str},
    about=_ABOUT,
    meaning="""
        In {zone} there is something that bears this machine's name and that of the run {run}, and that no run holds: {what}.
        It costs money.
        """,
    decided="""
        By what is written on it, by the leases on this machine and the units that hold them, and by the provider's clock: {why}.
        """,
    did="""
        It is being given back. That it is gone is told by another event, and so is that it could not be.
        """,
    action="""
        What is there now, and why it ended so:
          plexguard-cloud-run orphans
          journalctl -x -u 'plexguard-cloud-*' --since -1d
        """,
)

DESTROY_FAILED = Event(
    name="cloud.destroy-failed",
    message_id="72aee839615b4150bc896f6eecf46e47",
    priority=Priority.ERR,
    message="What was rented for {run} in {zone} could not be given back, and goes on costing money: {reason}",
    subject="Something that costs money could not be given back",
    page=_PAGE,
    fields={**_PLACE, "reason": str, "hint": str},
    about=_ABOUT,
    meaning="""
        Something of the run {run} is still there in {zone}, and is paid for: {reason}.
        """,
    decided="""
        It was asked for to be deleted, repeatedly, and the provider refused, did not answer, or still lists it.
        """,
    did="""
        What is known of it stays on disk. The reaper tries again every 15 minutes, and tells when it is gone; this is told
        once.
        """,
    action="""
        {hint}
        Try it now, or delete it in the provider's own console:
          plexguard-cloud-run destroy {run}
          plexguard-cloud-run orphans
        """,
)

ZONE_UNKNOWN = Event(
    name="cloud.zone-unknown",
    message_id="20f102efb0284355ad2c0bf5a86d92d9",
    priority=Priority.WARNING,
    message="What is rented in {zone} cannot be told: {reason}",
    subject="What is rented cannot be told",
    page=_PAGE,
    fields={"zone": str, "reason": str},
    about=("zone",),
    meaning="""
        The reaper could not list what is in {zone}: {reason}. Something may be there that nobody holds, and be paid for.
        """,
    decided="""
        The provider did not answer, refused, or its answer could not be understood. That is never taken for nothing being
        there.
        """,
    did="""
        Nothing was given back there, and no lease was forgotten. It is tried again every 15 minutes; this is told once.
        """,
    action="""
        Check the configuration, the key and its rights, then try it:
          plexguard-status check-config
          plexguard-cloud-run orphans
        """,
)

ZONE_KNOWN = Event(
    name="cloud.zone-known",
    message_id="80d41a050b7b433c881a93351dbe6b0a",
    priority=Priority.NOTICE,
    message="What is rented in {zone} can be told again, after {unknown_h:.1f} h",
    subject="What is rented can be told again",
    page=_PAGE,
    fields={"zone": str, "unknown_h": float},
    about=("zone",),
    ends=("cloud.zone-unknown",),
    meaning="""
        What is in {zone} could be listed again, {unknown_h} hours after it first could not.
        """,
    decided="""
        A whole listing came, with a date.
        """,
    did="""
        What nobody holds there is given back, and told of by events of its own.
        """,
    action="""
        What is there:
          plexguard-cloud-run orphans
        """,
)

TYPE_REPLACED = Event(
    name="cloud.type-replaced",
    message_id="0e29e64cd46e432cb4a030f55c7d2648",
    priority=Priority.NOTICE,
    message="{run} gets a {type} in {zone}: no {wanted} can be had",
    subject="Another type of machine stands in",
    page=_PAGE,
    fields={**_PLACE, "wanted": str, "type": str},
    meaning="""
        The run {run} is to have a machine of type {wanted}, and none can be had. A {type} in {zone} stands in for it.
        """,
    decided="""
        The provider does not offer {wanted} in any zone of the run, has none free, or is about to withdraw it. What stands in is
        the first of a list that comes with plexguard of which one is free, and is no smaller.
        """,
    did="""
        The price of the other type was taken for the estimate.
        """,
    action="""
        What it costs, and another type or zone where that is not wanted:
          plexguard-cloud-run plan {run}
          editor /etc/plexguard/cloud-run/{run}.toml
        """,
)

LIMITS_LOWERED = Event(
    name="cloud.limits-lowered",
    message_id="ec8df37b5d424a629ce497555fe3c9d4",
    priority=Priority.NOTICE,
    message="Plex's container of {run} gets {memory} of memory and {cpus} processors: {type} has no room for {wanted}",
    subject="The limits of Plex's container were lowered",
    page=_PAGE,
    fields={"run": str, "type": str, "wanted": str, "memory": str, "cpus": int},
    meaning="""
        The run {run} is to give Plex's container {wanted}, which is more than a machine of type {type} has. The container gets
        {memory} of memory and {cpus} processors.
        """,
    decided="""
        By what the provider says that the machine has, less 512 MB for the system itself.
        """,
    did="""
        The limits were lowered for this run; its file was not changed.
        """,
    action="""
        Choose a larger instance, or lower the limits yourself:
          editor /etc/plexguard/cloud-run/{run}.toml
          plexguard-cloud-run plan {run}
        """,
)
