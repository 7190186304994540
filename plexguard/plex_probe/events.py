"""What plexguard-plex-probe, and the restart that it asks for, can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-plex-probe(8)"
_FAULT_FIELDS = {"detail": str, "level": str, "looks": int, "silent_s": float, "server": str, "processes": str}

DOWN = Event(
    name="plex.down",
    message_id="a28c794ff5104b83a2cec049dea16154",
    priority=Priority.WARNING,
    message="Plex is down: {looks} looks in a row met no Plex; {server}; {processes}",
    subject="Plex is down",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex is away, and nobody can be watching through it: {detail}.
        """,
    decided="""
        {looks} looks in a row, within one check, met no Plex (looks in [plex-probe], 3 by default). Either every connection
        was refused, or what runs Plex says that it ended by itself: {server}. Processes: {processes}. An update, a start and
        a stop on purpose were ruled out first.
        """,
    did="""
        A restart is asked for at once (plex.restart-asked), 2 in one outage at most and 6 in 24 hours. Where none is allowed
        or none helps, that is told once (plex.gave-up). Plex is looked at every 30 s, and its end is told with the downtime
        (plex.recovered).
        """,
    action="""
        Wait for the lines that follow. Why it ended is in Plex's own journal, or in its container's:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 50
          docker logs --tail 50 plex
        What plexguard sees now, and what it would do:
          plexguard-plex-probe --explain
        """,
)

HUNG = Event(
    name="plex.hung",
    message_id="dcfe3516faa44bf081b041895ce68954",
    priority=Priority.WARNING,
    message="Plex hangs: it takes connections and gave no answer to {looks} looks in a row, for {silent_s:.0f} s; {server}",
    subject="Plex hangs",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex takes connections and answers nobody: {detail}. Nobody can be watching through it.
        """,
    decided="""
        {looks} looks in a row (3 by default), over {silent_s} s, had no answer to /identity within 5 s each, which a Plex
        that is well answers from memory in milliseconds; or it gave nothing but errors to a great many connections. Its
        database was not being written to, or has been for longer than busy_limit (10 min). What runs it: {server}. Processes:
        {processes}.
        """,
    did="""
        A restart is asked for at once (plex.restart-asked), 2 in one outage at most and 6 in 24 hours. A Plex that hangs gets
        10 s to stop by itself before it is killed. Where none is allowed or none helps, that is told once (plex.gave-up).
        While a mount of its libraries hangs, by the word of plexguard-rclone-watchdog(8), none is asked for: it would not
        bring the mount back, and Plex may be waiting for nothing else.
        """,
    action="""
        Wait for the lines that follow. If it happens again and again, look at what it did just before, and at its disks (a
        process in state D waits for one):
          journalctl -u plexmediaserver -n 50
          ps -eo pid,stat,wchan:30,comm | grep -i plex
          plexguard-plex-probe --explain
        """,
)

ERRORING = Event(
    name="plex.erroring",
    message_id="1d804a9d05fc41d6b83b499085804bba",
    priority=Priority.ERR,
    message="Plex answers with errors, {looks} looks in a row: {detail}",
    subject="Plex answers with errors",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Something answers at Plex's address, but not as Plex does when it is well: {detail}. It may be playing to somebody all
        the same, or it may not be Plex at all.
        """,
    decided="""
        {looks} looks in a row (3 by default) got a server error, or an answer that is none of Plex's, at level {level}. What
        runs it: {server}.
        """,
    did="""
        Nothing is restarted, since somebody may be watching. Plex is looked at every 30 s, and its end is told
        (plex.recovered).
        """,
    action="""
        See what answers there, and decide:
          plexguard-plex-probe --explain
          journalctl -u plexmediaserver -n 50
          systemctl restart plexmediaserver
        """,
)

DATABASE_BLOCKED = Event(
    name="plex.database-blocked",
    message_id="0329eed0ca274a9faac8c3b34ab5fa2e",
    priority=Priority.WARNING,
    message="Plex is busy with its database, or waits for it: no answer from there to {looks} looks in a row, for {silent_s:.0f} s",
    subject="Plex's database does not answer",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex is busy with its database, or waits for it: {detail}. Streams that run may go on; libraries do not open.
        """,
    decided="""
        In {looks} looks in a row (3 by default) /identity was answered, from memory, and what needs the database was not
        (level {level}). Or nothing was answered at all while the database was being written to. It has lasted {silent_s} s.
        """,
    did="""
        Nothing is restarted at once: a weekly optimisation, a backup or a migration does this for minutes and must not be
        broken off. Total silence is called hung after busy_limit (10 min). A database that answers nobody and is not written
        to for blocked_limit (10 min) is cured by a restart, if Plex says that nobody watches, and no mount of its libraries
        hangs by the word of plexguard-rclone-watchdog(8).
        """,
    action="""
        If it goes on for more than half an hour, see whether Plex works (its disk is busy, its -wal file grows) or waits:
          plexguard-plex-probe --explain
          journalctl -u plexmediaserver -n 50
          ls -l '/var/lib/plexmediaserver/Library/Application Support/Plex Media Server/Plug-in Support/Databases'
          systemctl restart plexmediaserver
        """,
)

DEGRADED = Event(
    name="plex.degraded",
    message_id="91fc5bdcbda34d2a8d2446c0e785b6d5",
    priority=Priority.WARNING,
    message="Plex is degraded: it answers, but {detail}",
    subject="Plex is slow, or a media file does not open",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex answers every question, but not as it should: {detail}. Whoever watches goes on watching.
        """,
    decided="""
        Three checks in a row, 30 s apart, found an answer that took longer than slow (2 s), or, with read_media, a media file
        that does not open through Plex. The level is {level}. It takes three good checks until it is over.
        """,
    did="""
        Nothing is restarted. Plex is looked at every 30 s, and its end is told (plex.recovered).
        """,
    action="""
        A slow Plex has a busy disk, a scan or a database that has grown; a media file that does not open is gone, not
        readable to Plex, or on a mount that is away. See which level is slow, and what the machine is busy with:
          plexguard-plex-probe --explain
          systemd-cgtop
        If its usual pace is just slower than yours, set slow in [plex-probe]:
          editor /etc/plexguard/plexguard.toml
        """,
)

CRASH_LOOP = Event(
    name="plex.crash-loop",
    message_id="cfbe25e46bcc49e7918943c8301a1123",
    priority=Priority.WARNING,
    message="Plex was started {starts} times in {seconds:.0f} s, and served in between: {server}",
    subject="Plex is started again and again",
    page=_PAGE,
    fields={"starts": int, "seconds": float, "server": str},
    meaning="""
        Plex is started again and again: {starts} times in {seconds} s. It is never down for long, but whoever watches is
        thrown out each time.
        """,
    decided="""
        So often within 15 minutes a check found Plex starting though it had been well at the check before, and no restart of
        plexguard's and no update was at work. What runs it starts it again: {server}.
        """,
    did="""
        Nothing: a restart would be one more. It is told once an hour while it lasts, and its end after 15 minutes without a
        start (plex.loop-ended).
        """,
    action="""
        See why it ends, unless it was you who started it:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 50
          docker logs --tail 50 plex
        """,
)

LOOP_ENDED = Event(
    name="plex.loop-ended",
    message_id="22dffe523ff449f7bb8d1b3f638cc554",
    priority=Priority.NOTICE,
    message="Plex serves and has not been started again for {seconds:.0f} s",
    subject="Plex is no longer started again and again",
    page=_PAGE,
    fields={"seconds": float},
    ends=("plex.crash-loop",),
    meaning="""
        Plex was started again and again, and is not any more: it serves, and its last start is {seconds} s ago.
        """,
    decided="""
        No check of the last 15 minutes found a start that followed a check at which it was well.
        """,
    did="""
        Nothing more. Another loop would be told anew.
        """,
    action="""
        The whole story of it:
          journalctl -u 'plexguard-plex-*' -u plexmediaserver --since -1d
        """,
)

UPDATING = Event(
    name="plex.updating",
    message_id="89de7f8b4a6d469fa7ba62691048bba4",
    priority=Priority.NOTICE,
    message="Plex does not answer, and an update is at work: {detail}",
    subject="Plex is being updated",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex does not answer because packages, or Plex inside its container, are being updated.
        """,
    decided="""
        Plex gave no answer, and an update is at work: {detail}. Package managers are known by the locks that they hold, a
        container by the scripts of its start. What runs Plex: {server}.
        """,
    did="""
        Nothing: a restart would break the update off. Silence is excused for update_limit (15 min), then that is told
        (plex.update-long). A Plex that the update leaves stopped is started (plex.left-stopped).
        """,
    action="""
        Wait. The version before and after is told (plex.updated), and how long it took (plex.recovered). To see what it does:
          ps -ef | grep -E "apt|dpkg"
          plexguard-plex-probe --explain
        """,
)

UPDATED = Event(
    name="plex.updated",
    message_id="faf1dd75ad4f4274975d15f8e1b686eb",
    priority=Priority.NOTICE,
    message="Plex was updated from {before} to {after}",
    subject="Plex was updated to {after}",
    page=_PAGE,
    fields={"before": str, "after": str},
    meaning="""
        Plex was updated: it is version {after} now, and was {before}.
        """,
    decided="""
        Plex itself says its version at each check, and at the check before it was the other one.
        """,
    did="""
        Nothing: an update of Plex is the administrator's own.
        """,
    action="""
        What was installed on this machine, and when:
          grep plexmediaserver /var/log/dpkg.log
        """,
)

UPDATE_LONG = Event(
    name="plex.update-long",
    message_id="7d3eb3ee6e964b3a82877b57f0e13a75",
    priority=Priority.ERR,
    message="An update has been at work for {seconds:.0f} s, and Plex does not answer: {sign}",
    subject="An update takes too long",
    page=_PAGE,
    fields={"sign": str, "seconds": float},
    meaning="""
        An update has been at work for {seconds} s, and Plex does not answer. It may wait at a question, or it was stopped in
        the middle.
        """,
    decided="""
        What shows the update is still there: {sign}. It has been for longer than update_limit (15 min).
        """,
    did="""
        Plex is still not restarted, since that could break the update off. It is looked at every 30 s; this is told once in
        an outage.
        """,
    action="""
        See what holds it up, answer its question, or finish what was left:
          ps -ef | grep -E "apt|dpkg"
          dpkg --configure -a
        """,
)

LEFT_STOPPED = Event(
    name="plex.left-stopped",
    message_id="81481fc720ae4a80a8802437e4c9e777",
    priority=Priority.NOTICE,
    message="An update stopped Plex and did not start it again: a start is asked for; {server}",
    subject="An update left Plex stopped",
    page=_PAGE,
    fields={"server": str},
    meaning="""
        An update stopped Plex and did not start it again. Nobody meant it to be away.
        """,
    decided="""
        {server}. No update is at work any more, and the stop fell into the time in which its package was updated.
        """,
    did="""
        Its start is asked for once. That is no restart and costs nothing of their budget; if it does not help, restarts
        follow as in any outage.
        """,
    action="""
        Nothing, if plex.recovered follows. Else see why it does not start, and whether the package is whole:
          systemctl status plexmediaserver
          dpkg --configure -a
        """,
)

MAINTENANCE_LONG = Event(
    name="plex.maintenance-long",
    message_id="d5d36998c7454cd2be6ff5bd8d27137d",
    priority=Priority.ERR,
    message="Plex has been in maintenance with no progress for {seconds:.0f} s ({how}): {detail}",
    subject="Plex's maintenance does not end",
    page=_PAGE,
    fields={"detail": str, "seconds": float, "how": str},
    meaning="""
        Plex's maintenance does not end: it says "{detail}" and does not get on. A migration that stands still is a broken
        update, which a restart does not help.
        """,
    decided="""
        For {seconds} s {how}. A migration that works makes the -wal file of the database grow; so long without is more than
        maintenance_limit (20 min).
        """,
    did="""
        Nothing is restarted: that could damage the database. Plex is looked at every 30 s; this is told once in an outage,
        and its end too (plex.recovered).
        """,
    action="""
        See what Plex did last. If it is stuck, restore the database from before the update, or install the version before:
          journalctl -u plexmediaserver -n 50
          plexguard-plex-probe --explain
          ls -l '/var/lib/plexmediaserver/Library/Application Support/Plex Media Server/Plug-in Support/Databases'
        """,
)

MAINTENANCE = Event(
    name="plex.maintenance",
    message_id="3e5c062eeaaf4ff6929ac67393d6a5f7",
    priority=Priority.NOTICE,
    message="Plex is in maintenance and is left alone: {detail}",
    subject="Plex is in maintenance",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex is in maintenance: {detail} After an update it migrates its database, for minutes on a big library.
        """,
    decided="""
        Plex itself answers 503 with its maintenance text. One such answer is enough.
        """,
    did="""
        Nothing: a restart in the middle corrupts the database, so none is asked for as long as this lasts. When its database
        stands still for maintenance_limit (20 min), that is told (plex.maintenance-long).
        """,
    action="""
        Wait. See whether its database grows:
          ls -l '/var/lib/plexmediaserver/Library/Application Support/Plex Media Server/Plug-in Support/Databases'
        """,
)

STOPPED = Event(
    name="plex.stopped",
    message_id="63e5209fdae4409983ca7e7d030b6beb",
    priority=Priority.NOTICE,
    message="Plex is stopped and is left alone: {server}",
    subject="Plex is stopped",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex does not run, and nothing says that it failed. So it is when an administrator stopped it, and who stops it means
        it.
        """,
    decided="""
        {looks} looks in a row met no Plex, and what runs it says: {server}. Its unit is inactive, masked, or ended when it
        was told to stop; or its container was stopped, paused, or is not there.
        """,
    did="""
        Nothing. Plex is looked at every 30 s, and told when it answers again (plex.recovered).
        """,
    action="""
        When it is wanted again:
          systemctl start plexmediaserver
        In a container:
          docker ps -a
          docker start plex
        If nobody stopped it, see who or what did:
          journalctl -u plexmediaserver -n 50
        """,
)

MISCONFIGURED = Event(
    name="plex.misconfigured",
    message_id="667eac6303af4b1c903eb9d06977ebfa",
    priority=Priority.ERR,
    message="Plex cannot be asked, which is a matter of configuration and no outage: {detail}",
    subject="The address or the token of Plex is wrong",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex cannot be asked: {detail}. That is a matter of configuration and no outage: people may be watching. An outage of
        the database would go unseen until this is mended.
        """,
    decided="""
        Plex answers and refuses the token; or its address leads nowhere; or Plex answers at another address of this machine;
        or nothing has ever answered at this one though Plex seems to run ({server}).
        """,
    did="""
        Nothing is restarted. Plex is looked at every 30 s, and told when it answers as it should (plex.recovered).
        """,
    action="""
        Check url in [plex]. The token is read from Plex's own Preferences.xml, or from a file that wins over it:
          plexguard-status check-config
          cat /run/plexguard/plex.json
          ls -l /etc/plexguard/credentials/plex.token
        After a change:
          plexguard-status apply
        """,
)

UNKNOWN = Event(
    name="plex.unknown",
    message_id="1e64ae5b0c054843bb51375bfd80bebb",
    priority=Priority.WARNING,
    message="Plex does not answer, and whether it should run cannot be told: {server}",
    subject="Plex does not answer, and its state cannot be told",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Plex does not answer, and whether it should run cannot be told: {server}.
        """,
    decided="""
        {looks} looks in a row failed ({detail}), in two checks in a row, and there is no word of what runs Plex that is
        younger than 90 s, or the container runs without a Plex in it.
        """,
    did="""
        Nothing is restarted: it may have been stopped on purpose. Plex is looked at every 30 s, and told when it answers
        (plex.recovered).
        """,
    action="""
        See what watches the container, and what Docker says:
          systemctl status plexguard-container-watch
          docker ps -a
          plexguard-plex-probe --explain
        """,
)

LIMITED = Event(
    name="plex.limited",
    message_id="48692262b15345f89ddca95bd7641bbf",
    priority=Priority.NOTICE,
    message="Plex answers, but no token is known, so only its process is checked and not its database",
    subject="Plex is only checked from outside",
    page=_PAGE,
    meaning="""
        Plex is only checked from outside: that its process answers, not that its database does. Who watches is not known
        either.
        """,
    decided="""
        Plex says who it is and asks for a token for everything else, and none is known: neither in Plex's Preferences.xml,
        where it stands when the server is claimed, nor in a file of yours.
        """,
    did="""
        The check goes as far as it can. It is told once, and that a token is known too (plex.unlimited).
        """,
    action="""
        Claim the server in Plex, or give a token:
          install -m 600 /dev/stdin /etc/plexguard/credentials/plex.token
          plexguard-plex-probe --explain
        """,
)

UNLIMITED = Event(
    name="plex.unlimited",
    message_id="aefcc53a2381428f9afecd8a4dbd7b08",
    priority=Priority.NOTICE,
    message="A token of Plex is known, so its database is checked too",
    subject="Plex is checked as a whole again",
    page=_PAGE,
    ends=("plex.limited",),
    meaning="""
        Plex was only checked from outside, and is checked as a whole now: its database too, and who watches is known.
        """,
    decided="""
        Plex took the token that was found, and answered everything that was asked.
        """,
    did="""
        Nothing more. A restart may now also be asked for when its database hangs and nobody watches.
        """,
    action="""
        See what each level answers, and where a token of yours lies:
          plexguard-plex-probe --explain
          ls -l /etc/plexguard/credentials/plex.token
        """,
)

NO_SERVER = Event(
    name="plex.no-server",
    message_id="4a9f68d263894d05b9a62aacca7034e9",
    priority=Priority.NOTICE,
    message="No Plex to check: {reason}",
    subject="There is no Plex to check yet",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        There is no Plex to check: {reason}.
        """,
    decided="""
        plexguard-discover, which looks for Plex on this machine, has published none.
        """,
    did="""
        Nothing is checked or restarted. The discovery looks again every 5 minutes, and at once when Plex is installed. This
        is told once; discover.found tells its end.
        """,
    action="""
        If Plex runs here under another name, or on another machine, say so:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        """,
)

RECOVERED = Event(
    name="plex.recovered",
    message_id="63454f8975b44918a80b563c6c91f473",
    priority=Priority.NOTICE,
    message="Plex answers again after {downtime_s:.0f} s ({problem}, restarts: {restarts})",
    subject="Plex answers again",
    page=_PAGE,
    fields={"problem": str, "downtime_s": float, "restarts": int},
    ends=(
        "plex.down",
        "plex.hung",
        "plex.erroring",
        "plex.database-blocked",
        "plex.degraded",
        "plex.maintenance",
        "plex.maintenance-long",
        "plex.updating",
        "plex.update-long",
        "plex.stopped",
        "plex.misconfigured",
        "plex.unknown",
        "plex.left-stopped",
        "plex.restart-failed",
        "plex.gave-up",
    ),
    meaning="""
        Plex answers again. What kept it away ({problem}) lasted {downtime_s} s.
        """,
    decided="""
        One look had an answer to everything that was asked, or Plex answered and only refused the token; after plex.degraded
        it takes three good checks. The time counts from the first failed look.
        """,
    did="""
        {restarts} restarts were asked for in this outage.
        """,
    action="""
        The whole story of it:
          journalctl -u 'plexguard-plex-*' -u plexmediaserver --since -1h
        """,
)

RESTART_ASKED = Event(
    name="plex.restart-asked",
    message_id="c27a11a9f4b1423691f4171bc8d72e74",
    priority=Priority.NOTICE,
    message="Asking for restart {number} of {limit} in this outage ({problem})",
    subject="A restart of Plex is asked for",
    page=_PAGE,
    fields={"number": int, "limit": int, "problem": str},
    meaning="""
        A restart of Plex is asked for, number {number} of {limit} in this outage ({problem}).
        """,
    decided="""
        The fault is certain, and nobody can be watching: Plex is down or hung; or its database answers nobody for
        blocked_limit (10 min) and Plex says that nobody watches. No update is at work, and the ask before this one is
        start_grace (60 s) old at least.
        """,
    did="""
        It was counted on disk, then plexguard-plex-restart.service was started: the probe has no rights of its own. That
        service looks once more, keeps a budget of its own, and acts or refuses.
        """,
    action="""
        What came of it:
          journalctl -u plexguard-plex-restart
        To forbid restarts, set restart = false in [plex-probe], or:
          systemctl mask plexguard-plex-restart.service
        """,
)

GAVE_UP = Event(
    name="plex.gave-up",
    message_id="58d76e35d7354f57ad8a91c02299f1be",
    priority=Priority.ERR,
    message="Plex is still down ({problem}) after {silent_s:.0f} s and {restarts} restarts: {reason}; a person is needed",
    subject="Plex is down and stays down",
    page=_PAGE,
    fields={"reason": str, "restarts": int, "problem": str, "silent_s": float},
    meaning="""
        Plex is away ({problem}) and stays away: {reason}. A person is needed.
        """,
    decided="""
        {restarts} restarts were made in this outage of {silent_s} s. No further one is asked for when so many did not help
        (max_restarts_per_incident), when one is forbidden or refused for good, or when nothing here could be restarted.
        """,
    did="""
        No restart is asked for any more in this outage: more would not help and can harm (a scan that is broken off, a
        database in repair). Plex is looked at as before, and its recovery will be told (plex.recovered).
        """,
    action="""
        Look at why it does not start, most often the disk, the database or a mount:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 100
          docker logs --tail 100 plex
          df -h /var/lib/plexmediaserver
        Then start it yourself:
          systemctl restart plexmediaserver
        """,
)

RESTARTING = Event(
    name="plex.restarting",
    message_id="f3fc50b3743e426c95b20a282bcfc771",
    priority=Priority.NOTICE,
    message="Restarting {server}: {reason} (restart {in_day} of {limit} in 24 h)",
    subject="Plex is being restarted",
    page=_PAGE,
    fields={"server": str, "reason": str, "in_day": int, "limit": int},
    meaning="""
        {server} is being restarted: {reason}. It is restart {in_day} of {limit} in 24 hours.
        """,
    decided="""
        plexguard-plex-restart looked once more at the moment of acting: the reason holds, no update is at work, nobody who
        could be watching is known, and the budget allows it (2 in one outage and 6 in 24 hours, unless configured otherwise).
        """,
    did="""
        The restart was counted on disk, then begun. Plex gets its time to stop by itself (stop_timeout, 60 s; 10 s when it
        hangs) and is only killed when that is over. A shutdown of this machine waits meanwhile.
        """,
    action="""
        The next line tells how it ended (plex.restarted, plex.restart-failed). To follow it:
          journalctl -u plexguard-plex-restart -n 20
        """,
)

RESTARTED = Event(
    name="plex.restarted",
    message_id="972d0fe4c8944922a5989e87771d1194",
    priority=Priority.NOTICE,
    message="{server} was restarted and answers after {seconds:.1f} s{how}",
    subject="Plex was restarted",
    page=_PAGE,
    fields={"server": str, "seconds": float, "how": str},
    meaning="""
        {server} was restarted and answers again, {seconds} s after the restart was begun{how}.
        """,
    decided="""
        Plex answered /identity, or said that it is in maintenance, within start_timeout (90 s).
        """,
    did="""
        The probe was started, which tells the recovery with the whole downtime (plex.recovered).
        """,
    action="""
        If restarts become a habit, look for what precedes them:
          journalctl -u 'plexguard-plex-*' -u plexmediaserver --since -1d
        """,
)

RESTART_REFUSED = Event(
    name="plex.restart-refused",
    message_id="dd18ac7c4dd64a0db746d9e4d3ec89ed",
    priority=Priority.NOTICE,
    message="Plex is not restarted: {reason}",
    subject="A restart of Plex was asked for and refused",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        A restart of Plex was asked for, and Plex is not restarted: {reason}.
        """,
    decided="""
        plexguard-plex-restart looks for itself before it acts: at Plex, at what runs it, at updates, at who watches, and at
        its own budget (2 in one outage and 6 in 24 hours, unless configured otherwise). One reason is enough.
        """,
    did="""
        Nothing. What passes, as an update does, is asked again after start_grace (60 s); what does not is left to a person
        (plex.gave-up). The same reason is told once an hour.
        """,
    action="""
        If the budget is spent and you want it fresh:
          rm /var/lib/plexguard/plex-restart/state.json
        To restart Plex yourself, whatever plexguard thinks:
          systemctl restart plexmediaserver
        """,
)

RESTART_FAILED = Event(
    name="plex.restart-failed",
    message_id="cf78d13d221042ca927ab538496dc1ce",
    priority=Priority.ERR,
    message="{server} was restarted and does not answer after {seconds:.0f} s: {reason}",
    subject="Restarting Plex did not help",
    page=_PAGE,
    fields={"server": str, "seconds": float, "reason": str},
    meaning="""
        {server} was restarted and Plex does not answer: {reason}.
        """,
    decided="""
        It did not stop and start within its times, or gave no answer within start_timeout (90 s) after it. {seconds} s were
        spent on it.
        """,
    did="""
        The restart stays counted. The probe was started; it asks once more within the budget, then gives up loudly
        (plex.gave-up).
        """,
    action="""
        See why it does not start:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 100
          docker logs --tail 100 plex
        """,
)
