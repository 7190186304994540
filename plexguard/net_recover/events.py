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
        This machine has no network: {detail}. Plex goes on for who watches in the house, as long as this machine has a link;
        from elsewhere nobody can reach it.
        """,
    decided="""
        None of the endpoints answered by any method (ping, TCP), or one did and none of the names resolved, in {looks} looks
        in a row; the outage is {lost_s} s old. Then it was looked at from near to far, interface, carrier, address, gateway,
        and the nearest thing that is missing gives its kind: {kind}.
        """,
    did="""
        Nothing yet. A loss that has lasted for grace (60 s) is given the steps that fit its kind, and else it is told why
        there are none (net.step, net.left-alone). Each kind is told once in an outage.
        """,
    action="""
        Wait for the lines that follow. What each endpoint answers, and what would be done:
          plexguard-net-recover --dry-run
        If it comes often, see when, and what helped:
          plexguard-net-recover history
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
    about=("interface",),
    meaning="""
        A {step} of {interface} through {holder} is under way, since the network is lost ({kind}). Connections over that
        interface may break.
        """,
    decided="""
        The loss has lasted for grace at least, and this is the next step of round {round} of {limit}, from the gentlest to
        the hardest of those that fit {kind} and {holder}. Where the interface still has a link and an address, nobody
        watches.
        """,
    did="""
        The step was counted on disk, then its commands are run. The network is looked at until it is back or step_timeout (30
        s) is over. An interface that is taken down is brought up again by the service manager, whatever becomes of this
        program.
        """,
    action="""
        The next line tells how it ended (net.step-done, net.step-failed). All steps so far:
          plexguard-net-recover history
        To have none taken, set max_rounds = 0 in [net-recover]:
          editor /etc/plexguard/plexguard.toml
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
    about=("interface",),
    meaning="""
        The {step} of {interface} in round {round} brought the network back.
        """,
    decided="""
        After the step an endpoint answers and a name resolves again. That the step did it is likely, not proven.
        """,
    did="""
        No further step is taken, and the outage is over (net.recovered).
        """,
    action="""
        See what the kernel says about the interface, and look at cable, switch and router:
          plexguard-net-recover history
          journalctl -k --since -1d
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
    about=("interface",),
    meaning="""
        The {step} of {interface} in round {round} did not bring the network back: it is still {reason}.
        """,
    decided="""
        The network was looked at until step_timeout (30 s) was over, or the program ended in the middle of the step and its
        successor finds the network still lost. What a command said that failed stands after the kind.
        """,
    did="""
        The next step of the round follows at once, if there is one; else the round is over (net.round).
        """,
    action="""
        How the interface stands:
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
        All steps of round {round} of {limit} were taken and the network is still lost ({kind}).
        """,
    decided="""
        Each step that fits {kind} was followed by a look of step_timeout (30 s), and none of them found the network.
        """,
    did="""
        {next}. The pause is round_pause (5 min) after the first round and twice that after the second. Checking goes on
        meanwhile.
        """,
    action="""
        Look at the cable, the switch and the router. What is missing:
          plexguard-net-recover --dry-run
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
        The network is back: {detail}. The outage lasted {downtime_s} s and was last of the kind {kind}.
        """,
    decided="""
        One look found an endpoint that answers and a name that resolves. The time counts from the first failed look. What
        helped ({helped}) is the step that was at work; without one it is a reboot of plexguard's, or the network came back by
        itself.
        """,
    did="""
        Nothing more; {rounds} rounds of steps were begun in this outage. A loss within the next 10 minutes counts as the same
        one, and is told only if it lasts as long.
        """,
    action="""
        All outages, steps and reboots:
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
        The network stays lost and this machine cannot mend it: {detail}.
        """,
    decided="""
        {rounds} rounds of steps were taken in {lost_s} s, and the network is still {kind}. So many are allowed for one fault
        (max_rounds).
        """,
    did="""
        No more steps are taken in this outage, unless its kind changes; {next}. Checking goes on every minute, and it is told
        when the network is back.
        """,
    action="""
        Somebody must look at this machine, its cable, the switch and the router:
          plexguard-net-recover --dry-run
          ip address
          journalctl -b -k
        When the cause is mended and it shall try once more by itself:
          plexguard-net-recover --reset-budget
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
        The network is lost ({kind}) and nothing is done about it: {reason}.
        """,
    decided="""
        What was seen: {detail}. For this no step can help, or one could make it worse, or the configuration allows none.
        """,
    did="""
        No step was taken and nothing is rebooted. Each reason is told once in an outage. Checking goes on every minute, and
        it is told when the network is back.
        """,
    action="""
        What was seen, and who holds the interface:
          plexguard-net-recover --dry-run
        An interface that was switched off by mistake is switched on by whoever holds it; see its state:
          ip address
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
        The {step} might bring the network back ({kind}) and is not taken now: {reason}.
        """,
    decided="""
        The step touches the interface, and somebody watches, or that cannot be told: a film in the house needs no internet
        and would be interrupted. Or max_rounds rounds were begun in the last hour already.
        """,
    did="""
        Nothing. Each check, every minute, asks again, and takes the step when nothing speaks against it. It is told once
        until a step is taken.
        """,
    action="""
        To take it now all the same, whoever watches, restart the network by hand. What would be run:
          plexguard-net-recover --dry-run
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
        Whether the network is there cannot be told: {reason}. An outage would go unseen.
        """,
    decided="""
        No endpoint answered, but that proves nothing here: there is no interface to look at, or this machine itself forbids
        every question (a firewall).
        """,
    did="""
        No step was taken. It is looked at again every minute, and told when it can be said again (net.known).
        """,
    action="""
        Name the interface, or endpoints that may be asked, in the section [net-recover]:
          plexguard-net-recover --dry-run
          editor /etc/plexguard/plexguard.toml
        """,
)

KNOWN = Event(
    name="net.known",
    message_id="b1991770a00e4d708e966bfd60892a3f",
    priority=Priority.NOTICE,
    message="Whether the network is there can be told again: it is {kind}; {detail}",
    subject="Whether the network is there can be told again",
    page=_PAGE,
    fields={"kind": str, "detail": str},
    ends=("net.unknown",),
    meaning="""
        Whether the network is there could not be told, and can be again. It is {kind}: {detail}.
        """,
    decided="""
        An endpoint answers, or there is an interface again at which the fault can be seen.
        """,
    did="""
        Nothing more, if it is online. Else the outage is told and dealt with as any (net.lost), or goes on.
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
        The budgets of rounds and reboots are fresh: a fault that is open gets its rounds again, and a reboot is within its
        budget.
        """,
    decided="""
        Somebody with root's rights ran plexguard-net-recover --reset-budget.
        """,
    did="""
        The rounds of this outage and of the last hour, and {reboots} reboots, were forgotten.
        """,
    action="""
        Nothing needs to be done, if it was you. What was done before:
          plexguard-net-recover history
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
        The network has been {kind} for {lost_s} s, and the last resort is a reboot of this machine, which may follow.
        """,
    decided="""
        All rounds are over, reboot = true is set in [net-recover], and a reboot may mend this kind (no-link, no-address,
        no-gateway).
        """,
    did="""
        plexguard-reboot.service was started. It looks for itself and reboots, or says why not. It is started again every 5
        minutes while the outage lasts, as what it waits for may pass; this is told once.
        """,
    action="""
        To forbid it, set reboot = false in [net-recover], or:
          systemctl mask plexguard-reboot.service
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
        A reboot was asked for because of the network, and this machine is not rebooted: {reason}.
        """,
    decided="""
        plexguard-reboot looks for itself at the moment of acting: at its own budget on disk, at the network once more, at who
        watches, at updates, and at who forbids a shutdown. One reason is enough, and what cannot be told is one. Or it could
        not even be started, as when it is masked.
        """,
    did="""
        Nothing. While the network is lost it is asked again every 5 minutes. A reason of the same kind is told once.
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
        This machine is rebooted, since its network has been {kind} for {lost_s} s: {detail}.
        """,
    decided="""
        All rounds of steps were over, and looked at once more at the moment of acting the network was still lost. Nobody
        watched, no update was at work, nothing forbade a shutdown, this machine had been up for 15 minutes, and the last
        reboot of this kind was long enough ago (min_between_reboots, 24 hours at least).
        """,
    did="""
        The reboot was counted on disk before this line ({in_all} so far), then systemctl reboot was run. After the boot its
        end is told (reboot.done).
        """,
    action="""
        A machine that needs this again has a fault that a person must find. All that was tried, and the log of before the
        boot:
          plexguard-net-recover history
          journalctl -b -1 -k -n 200
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
        This machine is back from the reboot that its network ({reason}) was the reason for; the network is {verdict}.
        """,
    decided="""
        This is the first check of another boot than the one in which the reboot was counted. It was away for {away_s} s, by
        its clock: from that line to the start of the kernel.
        """,
    did="""
        Nothing more. If the network is still lost, checks and steps go on as ever; another reboot is possible after
        min_between_reboots.
        """,
    action="""
        If the network is not back, a person must look at it. What happened before the boot:
          journalctl -b -1 -u plexguard-net-recover -u plexguard-reboot
          plexguard-net-recover history
        """,
)
