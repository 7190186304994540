"""What plexguard-proxy can tell the journal."""

from plexguard.core.events import Event, Kept, Priority

_PAGE = "plexguard-proxy(8)"

OPENED = Event(
    name="proxy.opened",
    message_id="dac1e6655ea94919a750ab69ee1b40c9",
    # That Plex is away is told by the probe, with the priority that it deserves.
    priority=Priority.NOTICE,
    message="The proxy lets no request through to Plex: {text} ({trigger}: {detail})",
    subject="The proxy lets no request through to Plex",
    page=_PAGE,
    fields={"trigger": str, "reason": str, "text": str, "detail": str, "open_for_s": float},
    kept=Kept.BOOT,
    meaning="""
        The proxy's breaker has opened: {text}. Who asks through the proxy is answered at once, with 503, this reason
        ({reason}) and when to come again; pictures come from its memory. What was already playing goes on.
        """,
    decided="""
        What opened it is {trigger}: {detail}. "traffic" is failures of requests in a row, "checks" are plexguard's own, which
        ask Plex for its libraries, "verdict" is what plexguard-plex-probe found, "drain" is an administrator.
        """,
    did="""
        No request reaches Plex for {open_for_s} s, so that it can recover. Then checks alone look whether it is back
        (proxy.half-open), and only after several good ones requests follow (proxy.closed).
        """,
    action="""
        See what the probe says of Plex, and what the proxy counted:
          plexguard-plex-probe --explain
          plexguard-proxy show
          journalctl -u plexguard-proxy.service --since -10min
        If it opens although Plex is well, one application may be asking for what always fails: its address is in the lines
        with a status of 500 and above.
        """,
)

HALF_OPEN = Event(
    name="proxy.half-open",
    message_id="353fa8b7c83f4b9288374e26f80a30c6",
    priority=Priority.INFO,
    message="The proxy looks whether Plex is back: {text}",
    subject="The proxy looks whether Plex is back",
    page=_PAGE,
    fields={"reason": str, "text": str},
    meaning="""
        The proxy let nothing through to Plex for a while ({text}) and now looks whether it is back. Requests are still
        answered with 503.
        """,
    decided="""
        The time of open_for (60 s) is over, or what was drained has been let go.
        """,
    did="""
        Checks alone go to Plex. Several good ones in a row close the breaker; one that fails has it wait again. This is told
        the first time only, however long it takes.
        """,
    action="""
        Nothing has to be done. How far it is:
          plexguard-proxy show
        """,
)

CLOSED = Event(
    name="proxy.closed",
    message_id="4530c9714f6c47a798225a5e1e7369b7",
    priority=Priority.NOTICE,
    message="The proxy lets requests through to Plex again after {downtime_s:.0f} s",
    subject="The proxy lets requests through to Plex again",
    page=_PAGE,
    fields={"downtime_s": float, "trials": int},
    ends=("proxy.opened",),
    meaning="""
        Plex is back for those who ask through the proxy, after {downtime_s} s.
        """,
    decided="""
        Several checks in a row were good. It was tried {trials} times.
        """,
    did="""
        Requests pass to Plex again.
        """,
    action="""
        If it opens again and again, see when, and why:
          journalctl -u plexguard-proxy-breaker.service --since -1d
          plexguard-plex-probe --explain
        """,
)

FLAPPING = Event(
    name="proxy.flapping",
    message_id="e256faabe8e04f21959dc367bb136bbf",
    # Plex is well, so nobody else tells it, and people at the door are turned away again and again.
    priority=Priority.WARNING,
    message="The proxy's breaker has opened {times} times although Plex answers its checks",
    subject="Requests that fail open the proxy's breaker again and again",
    page=_PAGE,
    fields={"times": int},
    kept=Kept.RUN,
    meaning="""
        Requests that failed in a row have opened the proxy's breaker {times} times, and each time Plex answered the first
        checks. Most often one application asks again and again for what always fails, when nobody else asks for anything.
        While it is open everybody is turned away.
        """,
    decided="""
        It was opened by requests, closed by the first checks, and opened by requests again within 15 minutes.
        """,
    did="""
        Nothing but this: each time it lets nothing through for its time (open_for), so for most of the time. It is told once,
        and its end when it has been closed for 15 minutes (proxy.steady).
        """,
    action="""
        Who asks for what is in the lines with a status of 500 and above. Mend that, or have it take more failures (open_after
        in [proxy]):
          journalctl -u plexguard-proxy.service --since -10min
          editor /etc/plexguard/plexguard.toml
        """,
)

STEADY = Event(
    name="proxy.steady",
    message_id="641b1e41f0364f7ba837ae6593537b7f",
    priority=Priority.NOTICE,
    message="The proxy's breaker is closed, and stays so",
    subject="The proxy's breaker stays closed",
    page=_PAGE,
    ends=("proxy.flapping",),
    meaning="""
        The proxy lets requests through again, and has for 15 minutes.
        """,
    decided="""
        Nothing has opened its breaker in that time.
        """,
    did="""
        Nothing had to be done.
        """,
    action="""
        If it comes again, see when it was open, and who asked then:
          journalctl -u plexguard-proxy-breaker.service --since -1d
        """,
)

REFUSED = Event(
    name="proxy.refused",
    message_id="ec1e566ef56841b3a9f83b9b6cbfce17",
    priority=Priority.ERR,
    message="The proxy cannot have this configuration: {reason}",
    subject="The proxy's configuration was refused",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        The configuration that was made for HAProxy from plexguard.toml cannot be had: {reason}.
        """,
    decided="""
        Before it takes the place of the one that is there, it is checked by HAProxy itself (haproxy -c), and the addresses at
        which it is to listen are tried.
        """,
    did="""
        A proxy that runs goes on as it was, and so does who is played to. One that does not run does not start, and is not
        tried again by itself.
        """,
    action="""
        Where it cannot listen, another program does, or it is a port below 1024. See which it is, and have one of them listen
        elsewhere (listen and metrics_listen in [proxy]):
          ss -tlnp
          editor /etc/plexguard/plexguard.toml
          plexguard-proxy check
        Then have it hold; the first is for a proxy that runs, the second for one that has not started:
          systemctl reload plexguard-proxy.service
          systemctl restart plexguard-proxy.service
        """,
)

UNREACHABLE = Event(
    name="proxy.unreachable",
    message_id="ba89471def1544ad876e0ae4c4eff08e",
    priority=Priority.WARNING,
    message="The breaker cannot reach the proxy: {reason}",
    subject="The breaker cannot reach the proxy",
    page=_PAGE,
    fields={"reason": str},
    kept=Kept.RUN,
    meaning="""
        The breaker cannot reach the proxy through its runtime socket: {reason}. Either the proxy does not run, and nobody is
        answered at its port; or it runs, and is guarded only by HAProxy's own simple check.
        """,
    decided="""
        The socket has not answered for 10 s, although the proxy's service is enabled with the breaker's.
        """,
    did="""
        It is tried again every second. Its end is told (proxy.reached).
        """,
    action="""
        See what the proxy's service says, and start it:
          systemctl status plexguard-proxy.service
          journalctl -u plexguard-proxy.service --since -10min
          systemctl start plexguard-proxy.service
        """,
)

REACHED = Event(
    name="proxy.reached",
    message_id="5749034230454c1f8d80545e52b38fbe",
    priority=Priority.NOTICE,
    message="The breaker reaches the proxy again after {downtime_s:.0f} s",
    subject="The breaker reaches the proxy again",
    page=_PAGE,
    fields={"downtime_s": float},
    ends=("proxy.unreachable",),
    meaning="""
        The breaker reaches the proxy again, after {downtime_s} s.
        """,
    decided="""
        Its runtime socket answered.
        """,
    did="""
        The proxy is guarded as before, with the state that the breaker had.
        """,
    action="""
        If it goes away often, its own journal says why:
          journalctl -u plexguard-proxy.service --since -1d
        """,
)
