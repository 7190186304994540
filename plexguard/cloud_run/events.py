"""What plexguard-cloud-run can tell the journal."""

from plexguard.core.events import Event, FilePath, Priority

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

PATHS_COMPARED = Event(
    name="cloud.paths-compared",
    message_id="e11861bcea854c8c90dca7cc61d9c09b",
    priority=Priority.INFO,
    message="Of what the database of {run} knows, the storage has: {shares}",
    subject="A database was held against the storage",
    page=_PAGE,
    fields={"run": str, "archive": str, "shares": str},
    meaning="""
        The run {run} begins with the database in {archive}. Of the files that it knows, the storage has: {shares}.
        """,
    decided="""
        By a listing of the storage, and by the mappings that the run's file names. A scan takes what is not there for deleted.
        """,
    did="""
        With less than min_present of a library the run stops, before anything is rented, and mappings for what has moved are
        suggested beside its state.
        """,
    action="""
        Look through what is suggested, and name it as mappings in the run's file:
          less /var/lib/plexguard/cloud-run/{run}/mappings.json
          editor /etc/plexguard/cloud-run/{run}.toml
        """,
)

LIBRARY_DONE = Event(
    name="cloud.library-scanned",
    message_id="91200830bcd449b0993eae589d122696",
    priority=Priority.INFO,
    message="{run}: {library} is scanned: {detail}",
    subject="A library was scanned",
    page=_PAGE,
    fields={"run": str, "library": str, "detail": str},
    about=("run", "library"),
    ends=("cloud.library-trouble",),
    meaning="""
        On the machine of the run {run} Plex has scanned {library}: {detail}.
        """,
    decided="""
        Plex says that the scan has ended, nothing works on the library, its count stands still and the processor is idle, at
        several looks in a row.
        """,
    did="""
        What is gone was forgotten, and the run goes on with the next library.
        """,
    action="""
        How far the run is:
          plexguard-cloud-run status {run}
        """,
)

LIBRARY_ANALYSED = Event(
    name="cloud.library-analysed",
    message_id="9217d3f246fd4a0aa3111c9be840d7cf",
    priority=Priority.INFO,
    message="{run}: {library} is analysed: {detail}",
    subject="A library was analysed",
    page=_PAGE,
    fields={"run": str, "library": str, "detail": str},
    about=("run", "library"),
    ends=("cloud.library-trouble",),
    meaning="""
        On the machine of the run {run} Plex has analysed {library}: {detail}.
        """,
    decided="""
        Nothing works on the library, its count of analysed items stands still and the processor is idle, at several looks in a row.
        """,
    did="""
        What was found out is kept, and brought home; the run goes on with the next library.
        """,
    action="""
        How far the run is:
          plexguard-cloud-run status {run}
        """,
)

EXPORTED = Event(
    name="cloud.exported",
    message_id="13def096e59b4961a70038ad5b5121b1",
    priority=Priority.NOTICE,
    message="What {run} has done is at home: {changes}",
    subject="What a run has done is at home",
    page=_PAGE,
    fields={"run": str, "path": FilePath, "changes": str},
    about=("run",),
    meaning="""
        The database of the run {run} is in {path}. Its libraries: {changes}. Beside it are the logs of Plex, of its container
        and of the mount.
        """,
    decided="""
        Plex was stopped before, the archive was verified where it was made, carried by its checksum, and verified here again.
        """,
    did="""
        Plex at home was not touched. Of what earlier runs of that name have brought, the last two stay.
        """,
    action="""
        Put it in place of Plex's database at home, with Plex stopped, and keep what was watched meanwhile:
          plexguard-db-export restore --other-machine --merge-watch-state {path}
        """,
)

STORAGE_MEASURED = Event(
    name="cloud.storage-measured",
    message_id="ce87025a57a043b3bc4a672c29977b4f",
    priority=Priority.NOTICE,
    message="{run}: {detail}",
    subject="It was measured how fast a run's storage is",
    page=_PAGE,
    fields={"run": str, "detail": str},
    about=("run",),
    meaning="""
        On the machine of the run {run}: {detail}.
        """,
    decided="""
        Some large files were read through the mount, several at once, for 20 seconds; what its cache had of them before counts too.
        """,
    did="""
        Nothing: the run goes on.
        """,
    action="""
        Where that is less than the storage is to give, look at how its mount is set, and at what rclone says:
          plexguard-cloud-run logs {run}
        """,
)

LIBRARY_TROUBLE = Event(
    name="cloud.library-trouble",
    message_id="704fbb4cbf6c4315b173a961fb5cfbcb",
    priority=Priority.WARNING,
    message="{run}: {library}: {detail}",
    subject="The work on a library has trouble",
    page=_PAGE,
    fields={"run": str, "library": str, "detail": str},
    about=("run", "library"),
    meaning="""
        On the machine of the run {run}, while it works on {library}: {detail}.
        """,
    decided="""
        By the storage's watchdog there, Plex's API, its database, its processes and its processor time. What cannot be told counts
        neither as work nor as its end.
        """,
    did="""
        Nothing was lost: what is not found is kept until a scan was right. The run goes on by itself when that is over, and fails
        with the reason when it lasts.
        """,
    action="""
        How far the run is, and what its units tell:
          plexguard-cloud-run status {run}
          plexguard-cloud-run logs {run}
        """,
)

LINE_LOST = Event(
    name="cloud.line-lost",
    message_id="16672859643c4e18b3e1203a57829631",
    priority=Priority.WARNING,
    message="The machine of {run} is out of reach for {span}: {reason}",
    subject="A run's machine is out of reach",
    page=_PAGE,
    fields={"run": str, "span": str, "reason": str},
    about=("run",),
    meaning="""
        The run {run} has not reached its machine for {span}: {reason}.
        """,
    decided="""
        Each attempt to connect has failed, at the address that the provider gives for it.
        """,
    did="""
        What works there goes on by itself. The machine is tried every few seconds; it is given back when it stays out of reach for
        hours, or at the run's deadline.
        """,
    action="""
        Where it lasts, look whether the line here is up, and whether the machine is still there:
          plexguard-net-recover --dry-run
          plexguard-cloud-run orphans
        """,
)

LINE_BACK = Event(
    name="cloud.line-back",
    message_id="c8ecdbbb6cdf4fe784e56a755a01d4a9",
    priority=Priority.NOTICE,
    message="The machine of {run} is reached again, after {span}",
    subject="A run's machine is reached again",
    page=_PAGE,
    fields={"run": str, "span": str},
    about=("run",),
    ends=("cloud.line-lost",),
    meaning="""
        The run {run} has its machine again, which was out of reach for {span}.
        """,
    decided="""
        A connection was made, to a machine with the same host key.
        """,
    did="""
        What was worked on there meanwhile is told now.
        """,
    action="""
        How far the run is:
          plexguard-cloud-run status {run}
        """,
)

APPLIED = Event(
    name="cloud.applied",
    message_id="32cf7cce99e74032ad046d4134562bd2",
    priority=Priority.NOTICE,
    message="What {run} has brought home is applied on {target}, and Plex is well: {changes}",
    subject="What a run has brought home is applied",
    page=_PAGE,
    fields={"run": str, "target": str, "changes": str, "kept": str},
    about=("run",),
    ends=("cloud.apply-failed",),
    meaning="""
        Plex on {target} runs on the database that the run {run} has brought home. What became of its libraries: {changes}.
        """,
    decided="""
        Before Plex was stopped it was well, nobody was watching, the archive was whole, was for that server, lacked nothing that is
        there, and its files are in their places. After, Plex is as well as before, and shows all libraries.
        """,
    did="""
        What was there is kept on {target}, in {kept}. The server kept its identity and its settings.
        """,
    action="""
        To put back what was there, on that machine, with Plex stopped:
          plexguard-db-export undo --list
          plexguard-db-export undo
        """,
)

APPLY_FAILED = Event(
    name="cloud.apply-failed",
    message_id="3139e28565d24fe7a7012d4c73352d6c",
    priority=Priority.ERR,
    message="What {run} has brought home is not applied on {target}: {reason}",
    subject="What a run has brought home is not applied",
    page=_PAGE,
    fields={"run": str, "target": str, "reason": str, "hint": str},
    about=("run",),
    meaning="""
        Plex on {target} does not run on what the run {run} has brought home: {reason}.
        """,
    decided="""
        plexguard-db-export says so, which looks before it stops Plex, and puts back what was there unless Plex is well after.
        """,
    did="""
        Nothing, or what was there before was put back; the reason tells which. The archive stays where it is.
        """,
    action="""
        {hint}
        Then apply it again:
          plexguard-cloud-run status {run}
          systemctl start plexguard-cloud-apply@{run}.service
        """,
)

RUN_FAILED = Event(
    name="cloud.run-failed",
    message_id="099c0b31d8ad49d182aa9f990e97efb6",
    priority=Priority.ERR,
    message="The run {run} failed in its phase {phase}: {reason}",
    subject="A run in the cloud failed",
    page=_PAGE,
    fields={"run": str, "phase": str, "reason": str, "hint": str},
    about=("run",),
    meaning="""
        The run {run} ended in its phase {phase}, without having done what it was to do: {reason}.
        """,
    decided="""
        By what the phase found, and tried as often as made sense before it gave up.
        """,
    did="""
        What the phases before it hold is released in reverse order, the machine last. That it is given back is told by another
        event. Nothing at home was changed.
        """,
    action="""
        {hint}
        What it did, and begin it anew:
          journalctl -x -u 'plexguard-cloud-*@{run}.service' --since -1d
          systemctl start --no-block plexguard-cloud-run@{run}
        """,
)

RUN_STOPPED = Event(
    name="cloud.run-stopped",
    message_id="d2f73f22bdf84df39bcf13c5c0e66fce",
    priority=Priority.NOTICE,
    message="The run {run} was stopped in its phase {phase}",
    subject="A run in the cloud was stopped",
    page=_PAGE,
    fields={"run": str, "phase": str},
    about=("run",),
    meaning="""
        The run {run} was ended in its phase {phase}, and has not done what it was to do.
        """,
    decided="""
        Somebody, or something of this machine's, has asked systemd to stop it: nothing of it had failed.
        """,
    did="""
        What its phases hold is released in reverse order, the machine last. That it is given back is told by another event.
        Nothing at home was changed.
        """,
    action="""
        Begin it anew:
          systemctl start --no-block plexguard-cloud-run@{run}
        """,
)

RUN_DONE = Event(
    name="cloud.run-done",
    message_id="afd0140e6fd643a6b82a5f609cd795b5",
    priority=Priority.NOTICE,
    message="The run {run} is done after {hours:.1f} h and {cost_euros} EUR: {libraries}",
    subject="A run in the cloud is done",
    page=_PAGE,
    fields={"run": str, "hours": float, "libraries": str, "phases": str, "cost_euros": str},
    about=("run",),
    ends=("cloud.run-failed",),
    meaning="""
        All phases of the run {run} have ended well. What became of its libraries: {libraries}. The phases took: {phases}. Cost
        until now, without tax: {cost_euros} euros.
        """,
    decided="""
        Each phase has said so itself, after it had looked.
        """,
    did="""
        What the phases hold is released in reverse order, the machine last. That it is given back is told by another event.
        """,
    action="""
        What it has cost:
          plexguard-cloud-run cost
        """,
)

RUN_RESUMED = Event(
    name="cloud.run-resumed",
    message_id="9103de3cb93044b1b721347bf396cf7d",
    priority=Priority.NOTICE,
    message="The run {run} is taken up again in {zone}: it was cut off in its phase {phase}",
    subject="A run in the cloud is taken up again",
    page=_PAGE,
    fields={**_PLACE, "phase": str},
    about=("run",),
    meaning="""
        This machine was shut down, or lost its power, while the run {run} was in its phase {phase}. Its machine in {zone} was
        kept.
        """,
    decided="""
        The run's lease is of an earlier boot, and its deadline is not over.
        """,
    did="""
        The run was started again. What is done stays done, and each phase finds what it has done before.
        """,
    action="""
        See it go on, or end it and give the machine back:
          plexguard-cloud-run watch {run}
          systemctl stop plexguard-cloud-run@{run}
        """,
)

PHASE_DONE = Event(
    name="cloud.phase-done",
    message_id="2542f43b8aac4905880aabe06ed48191",
    priority=Priority.INFO,
    message="{run}: {phase} is done after {seconds:.0f} s: {line}",
    subject="A phase of a run is done",
    page=_PAGE,
    fields={"run": str, "phase": str, "seconds": float, "line": str},
    meaning="""
        The phase {phase} of the run {run} has ended well.
        """,
    decided="""
        It has done what it had to do, and looked whether that is so: {line}.
        """,
    did="""
        The next phase begins.
        """,
    action="""
        How far the run is:
          plexguard-cloud-run status {run}
        """,
)

INSTANCE_KEPT = Event(
    name="cloud.instance-kept",
    message_id="a78e317d04f148259a179b3e61328c69",
    priority=Priority.NOTICE,
    message="The machine of {run} in {zone} stays until {deadline}, as its file asks for, and goes on costing money",
    subject="A machine stays after its run",
    page=_PAGE,
    fields={**_PLACE, "deadline": str},
    about=_ABOUT,
    meaning="""
        The run {run} has ended, and its file says `keep = true`.
        """,
    decided="""
        By the run's file as it was when the machine was rented.
        """,
    did="""
        The machine was left as it is. At {deadline} the reaper gives it back.
        """,
    action="""
        What it costs, and give it back before:
          plexguard-cloud-run cost
          plexguard-cloud-run destroy {run}
        """,
)

INSTANCE_LEFT = Event(
    name="cloud.instance-left",
    message_id="424de99a00a749c6b2bb799561a1c5a1",
    priority=Priority.NOTICE,
    message="This machine shuts down while {run} is at work in {zone}: what is rented stays, and the run goes on at the next boot",
    subject="A run is cut off by a shutdown",
    page=_PAGE,
    fields=_PLACE,
    about=("run",),
    meaning="""
        This machine is being shut down, and the run {run} has a machine in {zone} that has done work which is paid for.
        """,
    decided="""
        The service manager says that the whole system is stopping.
        """,
    did="""
        The machine was left as it is. At the next boot plexguard-cloud-resume.service takes the run up again. If this machine
        stays off, what is rented costs money until the reaper, here, can give it back: its own timer only switches it off.
        """,
    action="""
        If this machine is to stay off for long, end the run first the next time:
          systemctl stop plexguard-cloud-run@{run}
        """,
)

MOUNT_LEFT = Event(
    name="cloud.mount-left",
    message_id="a83bc2ec94a7483abc23285ccb7d85eb",
    priority=Priority.NOTICE,
    message="The storage of {run} may still be mounted on its machine: {reason}",
    subject="A mount on a run's machine could not be released",
    page=_PAGE,
    fields={"run": str, "reason": str},
    about=("run",),
    meaning="""
        The mount of the run {run} was to be unmounted on its machine, and what it is opened with removed from that machine's
        memory. At least one of both is not known to be done: {reason}.
        """,
    decided="""
        The machine did not answer, or something was still mounted there after its units were stopped.
        """,
    did="""
        The run goes on to give its machine back. A rented one takes all of it with it when it goes; one that stays keeps the
        keys of the storage, in memory, until it is booted anew.
        """,
    action="""
        On a machine that stays, as root:
          systemctl stop 'plexguard-rclone-watchdog@*' 'plexguard-rclone@*'
          rm -r /run/plexguard-run
        """,
)

MACHINE_REFUSED = Event(
    name="cloud.machine-refused",
    message_id="1f487750bc384ce9a761706a65f14bd7",
    priority=Priority.NOTICE,
    message="No {type} can be had in {zone} for {run}: {reason}",
    subject="A machine that was offered can not be had",
    page=_PAGE,
    fields={**_PLACE, "type": str, "reason": str},
    meaning="""
        The run {run} has asked for a machine of type {type} in {zone}. It is offered there, and the provider has refused it.
        """,
    decided="""
        The provider has said: {reason}
        """,
    did="""
        It was listed that nothing was made there, and the next zone or type that will do is asked for. Where there is none the
        run ends, and has cost nothing.
        """,
    action="""
        Where it happens often, name more zones in [cloud-run], or ask the provider for a higher quota. What a run would get:
          plexguard-cloud-run plan {run}
        """,
)

HOLD_OVER = Event(
    name="cloud.hold-over",
    message_id="66c6fe0fb82743fe95ecece4382f182c",
    priority=Priority.NOTICE,
    message="The machine of {run} was kept for {limit} to look at, and is no longer",
    subject="The hold of a machine is over",
    page=_PAGE,
    fields={"run": str, "limit": str},
    about=("run",),
    meaning="""
        plexguard-cloud-hold@{run}.service kept the machine of the run {run} for {limit}, which is as long as it may.
        """,
    decided="""
        By `hold` in the run's file.
        """,
    did="""
        The hold ended. Where no phase of the run needs the machine any more it is given back, which is told by another event.
        """,
    action="""
        Keep it longer the next time:
          editor /etc/plexguard/cloud-run/{run}.toml
        """,
)

CLAIM_ASKED = Event(
    name="cloud.claim-asked",
    message_id="00635218438b4bb9859e569578f375a9",
    priority=Priority.NOTICE,
    message="The run {run} asks for a claim token, for {limit}; to answer: systemd-tty-ask-password-agent",
    subject="A run asks for a claim token",
    page=_PAGE,
    fields={"run": str, "limit": str},
    about=("run",),
    meaning="""
        The Plex of the run {run} is about to start and is to belong to your account, for which it needs a claim token. Such a token
        lives four minutes, and is asked for at the last moment.
        """,
    decided="""
        The run's file says so, its server belongs to nobody yet, and there is no account's token among the credentials.
        """,
    did="""
        The question is on every terminal on which `systemctl start` waits for the run. After {limit} without an answer the run
        fails, and what is rented is given back.
        """,
    action="""
        Get a token from https://plex.tv/claim and answer:
          systemd-tty-ask-password-agent
        Never be asked again, by an account's token:
          install -m 600 /dev/stdin /etc/plexguard/credentials/plex.account-token
        """,
)

PLEX_LEFT = Event(
    name="cloud.plex-left",
    message_id="aa16cb9b546648c58bf2d2eb68a4c0f9",
    priority=Priority.WARNING,
    message="Plex of the run {run} in {zone} could not be stopped: {reason}",
    subject="Plex on a run's machine could not be stopped",
    page=_PAGE,
    fields={**_PLACE, "reason": str},
    about=_ABOUT,
    meaning="""
        The run {run} has ended, and the container called plexguard-run on its machine may still run: {reason}.
        """,
    decided="""
        The machine, or its Docker engine, did not do what it was asked.
        """,
    did="""
        The run went on to its end. A machine that is rented goes with all that runs on it; on any other the container stays.
        """,
    action="""
        Where the machine is not rented, stop it there:
          docker stop plexguard-run
        """,
)
