"""What plexguard-net-recover, and the reboot that it may ask for, can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-net-recover(8)"

LOST = Event(
    name="net.lost",
    message_id="1fad28825723432e8b79c69b61b19088",
    priority=Priority.WARNING,
    message="The network is lost ({kind}): {detail}; {looks} looks in a row failed, for {lost_s:.0f} s",
    subject="The network is lost",
    page=_PAGE,
    fields={"kind": str, "detail": str, "looks": int, "lost_s": float},
    meaning="""
        No endpoint answered by any method, or no name resolved, {looks} times in a row, so this is certain. What is missing
        is the nearest thing that is: {kind}. {detail}. Each kind is told once in an outage. Plex goes on for who watches in
        the house, and is left alone.
        """,
    action="""
        Wait for the lines that follow: the steps that fit, or why there are none. What each endpoint answers, and what
        would be done:
          plexguard-net-recover --dry-run
        """,
)

STEP = Event(
    name="net.step",
    message_id="11122d6f8b9d4504a88cb4ed94e0df0e",
    priority=Priority.NOTICE,
    message="Round {round} of {limit}: {step} of {interface} through {holder} ({kind})",
    subject="A step is taken to bring the network back",
    page=_PAGE,
    fields={"step": str, "interface": str, "holder": str, "round": int, "limit": int, "kind": str},
    meaning="""
        {kind}: this step may help, and it was counted on disk before it began. After it the network is looked at until it is
        back or its time is up. An interface that is taken down is brought up again by the service manager, whatever
        becomes of this program.
        """,
    action="""
        Nothing; the next line tells how it ended.
        """,
)

STEP_DONE = Event(
    name="net.step-done",
    message_id="24871946ee714977a10aec390d0c3ff7",
    priority=Priority.NOTICE,
    message="The {step} of {interface} helped: the network is back",
    subject="A step brought the network back",
    page=_PAGE,
    fields={"step": str, "interface": str, "round": int},
    meaning="""
        After the {step} in round {round} an endpoint answers and names resolve again.
        """,
    action="""
        Nothing. If it becomes a habit, see what the network was told to do, and what the other end of the cable says:
          journalctl -u plexguard-net-recover
          plexguard-net-recover history
        """,
)

STEP_FAILED = Event(
    name="net.step-failed",
    message_id="de4b5414aa954ac8bc405e66957cc313",
    priority=Priority.NOTICE,
    message="The {step} of {interface} did not help: {reason}",
    subject="A step did not bring the network back",
    page=_PAGE,
    fields={"step": str, "interface": str, "round": int, "reason": str},
    meaning="""
        After the {step} in round {round} the network was looked at until step_timeout was over, and is still {reason}.
        The next step of the round follows, if there is one.
        """,
    action="""
        Nothing yet. How the interface stands:
          ip route
          ip address show dev {interface}
        """,
)

ROUND = Event(
    name="net.round",
    message_id="ab9e173c59204040bc459783c74ccede",
    priority=Priority.NOTICE,
    message="Round {round} of {limit} is over and the network is still lost ({kind}); {next}",
    subject="A round of steps did not bring the network back",
    page=_PAGE,
    fields={"round": int, "limit": int, "kind": str, "next": str},
    meaning="""
        All steps that fit {kind} were taken and did not help; {next}. The pause grows with each round, and there are {limit} at
        most. Checking goes on meanwhile.
        """,
    action="""
        Look at the cable, the switch and the router.
        """,
)

RECOVERED = Event(
    name="net.recovered",
    message_id="d3e9edea982e4893a2f4c657b7aaeafa",
    priority=Priority.NOTICE,
    message="The network is back after {downtime_s:.0f} s ({kind}, helped: {helped}, rounds: {rounds}); {detail}",
    subject="The network is back",
    page=_PAGE,
    fields={"kind": str, "downtime_s": float, "helped": str, "rounds": int, "detail": str},
    ends=("net.lost", "net.gave-up", "net.left-alone"),
    meaning="""
        {detail}. The outage lasted {downtime_s} s, from its first failed look. It was last {kind}, and what brought the
        network back is: {helped}.
        """,
    action="""
        Nothing. All outages, steps and reboots:
          plexguard-net-recover history
        """,
)

GAVE_UP = Event(
    name="net.gave-up",
    message_id="957f8964201d41bd93654205f7ea21e9",
    priority=Priority.ERR,
    message="The network is still lost ({kind}) after {rounds} rounds and {lost_s:.0f} s: {detail}; {next}",
    subject="The network stays lost, and no step helps",
    page=_PAGE,
    fields={"kind": str, "detail": str, "rounds": int, "lost_s": float, "next": str},
    meaning="""
        {rounds} rounds of steps did not bring the network back: {detail}. No more are tried in this outage; {next}. Checking
        goes on, and when the network is back that is told.
        """,
    action="""
        Somebody must look at this machine, its cable, the switch and the router:
          plexguard-net-recover --dry-run
          ip address
          journalctl -b -k
        """,
)

LEFT_ALONE = Event(
    name="net.left-alone",
    message_id="2d194d30ef7948fab8f5679db1820d1d",
    priority=Priority.WARNING,
    message="Nothing is done about the network ({kind}): {reason}; {detail}",
    subject="The network is lost and is left alone",
    page=_PAGE,
    fields={"kind": str, "reason": str, "detail": str},
    meaning="""
        {detail}. No step is taken and nothing is rebooted: {reason}. That is told once in an outage; checking goes on.
        """,
    action="""
        What was seen, and who holds the interface:
          plexguard-net-recover --dry-run
        """,
)

PUT_OFF = Event(
    name="net.put-off",
    message_id="764224fa14b34b0b96a43efedde68eb4",
    priority=Priority.NOTICE,
    message="The {step} is put off: {reason} ({kind})",
    subject="A step for the network is put off",
    page=_PAGE,
    fields={"step": str, "reason": str, "kind": str},
    meaning="""
        The {step} would help, perhaps, and is not taken now: {reason}. A film in the house needs no internet, and would be
        interrupted. The next checks ask again.
        """,
    action="""
        Nothing. To take it now all the same, whoever watches: restart the network by hand.
        """,
)

UNKNOWN = Event(
    name="net.unknown",
    message_id="df5f5910d55e467baae1720e62e2c2ea",
    priority=Priority.NOTICE,
    message="Whether the network is there cannot be told: {reason}",
    subject="Whether the network is there cannot be told",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        No endpoint answered, but that proves nothing here: {reason}. Nothing is done.
        """,
    action="""
        Name the interface, or endpoints that may be asked, in the section [net-recover]:
          plexguard-net-recover --dry-run
          editor /etc/plexguard/plexguard.toml
        """,
)

BUDGET_RESET = Event(
    name="net.budget-reset",
    message_id="6a7dd556c412423e886bb4a8964f5ee6",
    priority=Priority.NOTICE,
    message="The budgets of rounds and reboots were reset by hand; reboots forgotten: {reboots}",
    subject="The budgets of the network recovery were reset",
    page=_PAGE,
    fields={"reboots": int},
    meaning="""
        Somebody ran plexguard-net-recover --reset-budget: a fault that is open gets fresh rounds, and a reboot would be within its
        budget again.
        """,
    action="""
        Nothing.
        """,
)

REBOOT_ASKED = Event(
    name="reboot.asked",
    message_id="13734148301e47d29662c93af9c615cc",
    priority=Priority.NOTICE,
    message="A reboot is asked for: the network is {kind} for {lost_s:.0f} s",
    subject="A reboot is asked for",
    page=_PAGE,
    fields={"kind": str, "lost_s": float},
    meaning="""
        All rounds are over and the network is still {kind}. plexguard-reboot.service is started, looks for itself, and
        reboots or says why not. It is asked again every five minutes, as what it waits for may pass; this is told once.
        """,
    action="""
        To forbid it: reboot = false in [net-recover], or
          systemctl mask plexguard-reboot
        """,
)

REBOOT_REFUSED = Event(
    name="reboot.refused",
    message_id="8f2ece7d4e1c499c839fdd5cd0a04355",
    priority=Priority.NOTICE,
    message="This machine is not rebooted: {reason}",
    subject="A reboot was asked for and refused",
    page=_PAGE,
    fields={"reason": str},
    meaning="""
        plexguard-reboot looks for itself before it acts, and found a reason not to: {reason}. A reason of the same kind is
        told once.
        """,
    action="""
        If the budget is spent and you want it fresh:
          plexguard-net-recover --reset-budget
        Who forbids a shutdown:
          systemd-inhibit --list
        """,
)

REBOOTING = Event(
    name="reboot.rebooting",
    message_id="6bfac1a5bd6d4187af592e26dd080f49",
    priority=Priority.WARNING,
    message="Rebooting: the network is {kind} for {lost_s:.0f} s ({detail}); reboots so far: {in_all}",
    subject="This machine is rebooted for its network",
    page=_PAGE,
    fields={"kind": str, "detail": str, "lost_s": float, "in_all": int},
    meaning="""
        Looked at once more at the moment of acting, the network is still {kind}: {detail}. Nobody watches, nothing is being
        updated, and nothing forbids a shutdown. The reboot was counted on disk before this line; the next one is possible after
        min_between_reboots, 24 hours at least. After the boot its end is told (reboot.done).
        """,
    action="""
        Nothing. All of them:
          plexguard-net-recover history
        """,
)

REBOOT_DONE = Event(
    name="reboot.done",
    message_id="7f6586b02bf54b3e96f69954e4886afd",
    priority=Priority.NOTICE,
    message="Back from the reboot for the network ({reason}) after {away_s:.0f} s; the network is {verdict}",
    subject="This machine is back from a reboot",
    page=_PAGE,
    fields={"away_s": float, "verdict": str, "reason": str},
    meaning="""
        The machine was rebooted because the network was {reason}. It was away for {away_s} s, by its clock, and the first
        check since finds the network {verdict}.
        """,
    action="""
        If the network is not back, a person must look at it. What happened before the boot:
          journalctl -b -1 -u plexguard-net-recover -u plexguard-reboot
          plexguard-net-recover history
        """,
)
