"""What plexguard-plex-probe, and the restart that it asks for, can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-plex-probe(8)"
_FAULT_FIELDS = {"detail": str, "level": str, "looks": int, "silent_s": float, "server": str, "processes": str}

DOWN = Event(
    name="plex.down",
    message_id="a28c794ff5104b83a2cec049dea16154",
    priority=Priority.WARNING,
    message="Plex is down: {looks} looks in a row were refused; {server}; {processes}",
    subject="Plex is down",
    page=_PAGE,
    fields=_FAULT_FIELDS,
    meaning="""
        Nobody listens at Plex's address: {detail}. It was looked at {looks} times in a row, so this is certain. What runs
        it: {server}. Processes: {processes}. Nobody can be watching through it, so a restart is asked for, if one is
        allowed and within its budget.
        """,
    action="""
        Wait for the lines that follow: a restart and a recovery with the downtime. Why it ended is in Plex's own journal,
        or in its container's:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 50
          docker logs --tail 50 plex
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
        Plex takes connections and does not answer even /identity, which it answers from memory in milliseconds when it
        is well. It was silent for {silent_s} s over {looks} looks. What runs it: {server}. Processes: {processes}. A
        hung Plex plays to nobody, so a restart is asked for, if one is allowed and within its budget.
        """,
    action="""
        Wait for the lines that follow. If it happens again and again, look at what it did just before, and at its disks (a
        process in "disk-sleep" waits for a file system):
          journalctl -u plexmediaserver -n 50
          ps -eo pid,stat,wchan:30,comm | grep -i plex
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
        Something answers at Plex's address, but not as Plex does when it is well: {detail}. It may be playing to somebody
        all the same, or it may not be Plex at all, so nothing is restarted.
        """,
    action="""
        See what answers there, and decide:
          plexguard-plex-probe --format json
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
        /identity is answered, from memory; what needs the database is not. Or nothing is answered, and the database is being
        written to all the while. A weekly optimisation, a backup or a migration does this for minutes and must not be broken
        off, so nothing is restarted at once: total silence is called hung after busy_limit, and a database that nothing is
        written to is cured by a restart after blocked_limit, if nobody watches.
        """,
    action="""
        If it goes on for more than half an hour, see whether Plex works (its disk is busy, its -wal file grows) or waits:
          journalctl -u plexmediaserver -n 50
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
        Plex answers every question, three checks in a row not as it should: {detail} (level {level}). Whoever watches goes on
        watching, so nothing is restarted. A slow Plex has a busy disk, a scan or a database that has grown; a media file that
        does not open through Plex is gone, not readable to it, or on a mount that is away.
        """,
    action="""
        See which level is slow, and what the machine is busy with:
          plexguard-plex-probe --explain
          systemd-cgtop
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
        {starts} times in {seconds} s Plex was found starting though it had been well at the check before. What runs it starts it
        again each time ({server}), so it is never down for long; but whoever watches is thrown out each time. A restart would be
        one more, so none is made.
        """,
    action="""
        See why it ends, unless it was you who started it:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 50
          docker logs --tail 50 plex
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
        Plex does not answer because packages, or Plex inside its container, are being updated: {detail}. A restart would break
        that off, so nothing is done while it lasts. What runs Plex: {server}.
        """,
    action="""
        Nothing. The version before and after is told as plex.updated, and plex.recovered tells how long it took.
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
        Plex now says that it is version {after}. At the check before it was {before}.
        """,
    action="""
        Nothing. What was installed on this machine, and when:
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
        For {seconds} s there has been an update at work, and Plex has not answered: {sign}. A package manager that waits at a
        question does this, or one that was stopped in the middle. Plex is still not restarted, since that could break the
        update off; it goes on being looked at.
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
        Plex was stopped while its package was being updated, the update is over, and Plex was not started again. Nobody meant
        it to be away, so it is started. That costs nothing of the budget of restarts. {server}
        """,
    action="""
        Nothing, if plex.recovered follows. Else see why it does not start:
          systemctl status plexmediaserver
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
        Plex says "{detail}", and {how}, for {seconds} s. A migration that works makes the -wal file of the database grow. One
        that stands still is a broken update: a restart does not help it, so none is made.
        """,
    action="""
        See what Plex did last. If it is stuck, restore the database from before the update, or install the version before:
          journalctl -u plexmediaserver -n 50
          plexguard-plex-probe --explain
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
        Plex itself answers 503 with its maintenance text: {detail} After an update it migrates its database, for minutes on
        a big library. A restart in the middle corrupts it, so none is asked for as long as this lasts.
        """,
    action="""
        Wait. When it lasts for hours while database and log stand still, the update is broken: restore a backup.
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
        Plex does not run, and nothing says that it failed: {server}. So it is when an administrator stopped it, and who
        stops it means it. Nothing is restarted.
        """,
    action="""
        When it is wanted again:
          systemctl start plexmediaserver
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
        Either the address leads nowhere, or Plex answers and refuses the token: {detail}. That is no outage: people may be
        watching. Nothing is restarted, and an outage of the database would go unseen until this is mended.
        """,
    action="""
        Check url in [plex]. The token is read from Plex's own Preferences.xml, or from a file that wins over it:
          plexguard-status check-config
          cat /run/plexguard/plex.json
          ls -l /etc/plexguard/credentials/plex.token
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
        Plex gave no answer to {looks} looks in a row ({detail}), but it cannot be told whether it is meant to run: {server}.
        When in doubt nothing is restarted.
        """,
    action="""
        See what watches the container, and what Docker says:
          systemctl status plexguard-container-watch
          docker ps -a
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
        Without a token Plex tells who it is and nothing more. The token is read from Plex's Preferences.xml when the server
        is claimed; none was found.
        """,
    action="""
        Claim the server in Plex, or give a token:
          install -m 600 /dev/stdin /etc/plexguard/credentials/plex.token
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
        plexguard-discover found neither a native Plex nor its container: {reason}. It looks again every few minutes, and
        at once when Plex is installed. This is told once.
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
        "plex.gave-up",
    ),
    meaning="""
        Plex answers, database included. What kept it away ({problem}) lasted {downtime_s} s, from the first failed look to this
        one; {restarts} restarts were asked for.
        """,
    action="""
        Nothing. The whole story of it:
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
        The outage ({problem}) is certain and nobody can be watching. The probe has no rights of its own: it starts
        plexguard-plex-restart.service, which looks once more, keeps its own budget on disk, and acts or refuses.
        """,
    action="""
        What came of it:
          journalctl -u plexguard-plex-restart
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
        No restart is asked for any more in this outage: {reason}. Restarting again and again would not help and can harm (a
        scan that is broken off, a database in repair). Plex is looked at as before, and its recovery will be told.
        """,
    action="""
        Look at why it does not start, most often the disk, the database or a mount:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 100
          docker logs --tail 100 plex
          df -h /var/lib/plexmediaserver
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
        Looked at once more at the moment of acting, Plex is still away: {reason}. The restart was counted on disk before it
        began. Plex gets its time to stop by itself and is only killed when that is over.
        """,
    action="""
        Nothing; the next line tells how it ended.
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
        The restart is done and Plex answers again, {seconds} s after it was begun. The probe tells the recovery with
        the whole downtime at its next check.
        """,
    action="""
        Nothing. If restarts become a habit, look for what precedes them:
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
        plexguard-plex-restart looks for itself before it acts, and found a reason not to: {reason}.
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
        The restart was carried out, and Plex did not answer within start_timeout: {reason}. The probe may ask once more
        within the budget, then it gives up loudly.
        """,
    action="""
        See why it does not start:
          systemctl status plexmediaserver
          journalctl -u plexmediaserver -n 100
        """,
)
