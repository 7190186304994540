"""The life of a server, from one state to the next: stopped, starting, running, stopping, stopped in place, gone.

What is due is done when somebody looks, as of the time it was due, so that what is billed does not depend on who asks when.
"""

from __future__ import annotations

from .catalogue import IP_EUR_PER_H, TYPES
from .context import Context
from .messages import invalid_request, locked, out_of_stock, precondition_failed
from .records import Ip, Server, new_id

STANDBY = "stopped in place"
ALLOWED = {
    "stopped": ("poweron", "backup"),
    "starting": ("stop_in_place", "backup"),
    "running": ("poweroff", "terminate", "reboot", "stop_in_place", "backup"),
    "stopping": ("stop_in_place", "backup"),
    STANDBY: ("poweron", "poweroff", "terminate", "reboot", "backup"),
    "locked": (),
}
_STARTING = ("allocating node", "provisioning node", "starting")
# Per step: what the machine is told, and the state and detail meanwhile. A step of the guest's own shows nothing.
_STEPS = {
    "start": ("poweron", "starting", _STARTING[0]),
    "poweroff": ("poweroff", "stopping", "stopping"),
    "standby": ("poweroff", "stopping", "stopping in place"),
    "reboot": ("reboot", "starting", "starting"),
    "terminate": ("terminate", "stopping", "terminating"),
}
_ACTIONS = {"poweron": "start", "poweroff": "poweroff", "stop_in_place": "standby", "reboot": "reboot", "terminate": "terminate"}


def allowed_actions(server: Server) -> list[str]:
    return [] if server.step == "terminate" else list(ALLOWED[server.state])


def shown_state(context: Context, server: Server) -> tuple[str, str]:
    """Return state and detail as they are shown: what a step changed may show late."""
    is_late = server.step in _STEPS and context.now_s - server.since_s < context.faults.shown_late_s
    state, detail = server.before if is_late else (server.state, server.detail)
    return state, detail


def act(context: Context, server: Server, action: str) -> None:
    """Begin an action. Raises Refusal where the state does not allow it."""
    if server.state == "locked":
        raise locked("instance_server", server.id)
    if action not in allowed_actions(server):
        needed = "stopped" if action == "poweron" else "running"
        raise invalid_request(f"server should be {needed}")
    if action == "terminate" and server.protected:
        raise precondition_failed("attribute_must_be_set", "protected must be false")
    if action == "poweron":
        _check_stock(context, server)
    if action == "backup":
        raise invalid_request("the fake makes no backups")
    begin_step(context, server, _ACTIONS[action])


def begin_step(context: Context, server: Server, step: str) -> None:
    """Enter a step; what bills by power-on bills from here."""
    server.before = [server.state, server.detail]
    verb, server.state, server.detail = _STEPS[step]
    server.step, server.since_s, server.modified_s = step, context.now_s, context.now_s
    server.due_s = context.now_s + duration_s(context, server, step)
    if step == "start" and not is_billed(context, server):
        rate = TYPES[server.commercial_type].eur_per_h
        context.world.begin_billing("server", server, rate, context.now_s, hourly=True)
    if step != "terminate" or not context.faults.terminate_ignored:
        context.begin(verb, server)


def resume(context: Context) -> None:
    """Begin anew what machines were doing when the fake was stopped."""
    for server in context.world.servers.values():
        if server.step in _STEPS:
            context.begin(_STEPS[server.step][0], server)


def power_off_guest(context: Context, server: Server) -> None:
    """Have `poweroff` typed in the guest: it shows later, as standby."""
    if server.state == "running" and not server.step:
        server.step, server.since_s = "guest", context.now_s
        server.due_s = context.now_s + context.timing.guest_s


def duration_s(context: Context, server: Server, step: str) -> float:
    timing = context.timing
    if step == "start":
        root = context.world.volumes.get(server.volumes.get("0", ""))
        return timing.start_local_s if root is not None and root.kind == "l_ssd" else timing.start_block_s
    return {
        "poweroff": timing.poweroff_s,
        "standby": timing.standby_s,
        "reboot": timing.reboot_s,
        "terminate": timing.terminate_s,
    }[step]


def is_billed(context: Context, server: Server) -> bool:
    return any(period.resource == server.id and period.end_s is None for period in context.world.periods)


def advance(context: Context) -> bool:
    """Bring everything to this moment; tell whether anything changed."""
    for server in context.world.servers.values():
        if server.step and server.state in context.faults.stuck:
            # What is stuck is not due before it is loose.
            server.due_s = max(server.due_s, context.now_s)
    due = [server for server in context.world.servers.values() if server.step and _is_due(context, server)]
    for server in due:
        _finish(context, server)
    for server in context.world.servers.values():
        _show_progress(context, server)
    detached = [
        volume
        for volume in context.world.volumes.values()
        if volume.detaching_from is not None and volume.detached_s is not None and volume.detached_s <= context.now_s
    ]
    for volume in detached:
        volume.detaching_from = None
    return bool(due or detached)


def _check_stock(context: Context, server: Server) -> None:
    faults = context.faults
    if faults.out_of_stock_at == "poweron" and faults.is_out_of_stock(server.commercial_type, server.zone):
        raise out_of_stock(server.commercial_type)


def _is_due(context: Context, server: Server) -> bool:
    if server.state in context.faults.stuck or context.now_s < server.due_s:
        return False
    return context.machines.is_done(server.id)


def _show_progress(context: Context, server: Server) -> None:
    if server.step != "start":
        return
    share = (context.now_s - server.since_s) / max(server.due_s - server.since_s, 0.001)
    server.detail = _STARTING[min(2, max(0, int(share * 3)))]


def _finish(context: Context, server: Server) -> None:
    """End a step, as of when it was due; one that waited for its machine ends now."""
    at_s = max(server.due_s, context.machines.done_s.get(server.id, 0.0))
    step, server.step = server.step, ""
    server.modified_s = at_s
    if step in {"start", "reboot"}:
        _become_started(context, server, at_s)
    elif step == "poweroff":
        _become_stopped(context, server, at_s)
    elif step in {"standby", "guest"}:
        server.state = server.detail = STANDBY
    elif context.faults.terminate_ignored:
        server.state, server.detail = "running", "booting kernel"
    else:
        end_server(context, server, at_s, ends_local=not context.faults.volumes_stay)


def _become_started(context: Context, server: Server, at_s: float) -> None:
    if context.faults.start_ends != "running":
        server.state, server.detail = context.faults.start_ends, ""
        if server.state == "stopped":
            context.world.end_billing(server.id, at_s)
        return
    server.state, server.detail = "running", "booting kernel"
    server.machine = context.machines.addresses.get(server.id, server.machine)
    for ip in addresses_of(context, server):
        ip.address = server.machine or ip.address
    if server.dynamic_ip_required and not addresses_of(context, server) and not context.faults.no_address:
        _add_dynamic_ip(context, server, at_s)


def _add_dynamic_ip(context: Context, server: Server, at_s: float) -> None:
    ip = Ip(
        id=new_id(),
        zone=server.zone,
        address=server.machine or next_address(context),
        project=server.project,
        tags=[],
        dynamic=True,
        server=server.id,
        created_s=at_s,
        attached_s=at_s,
    )
    context.world.ips[ip.id] = ip
    context.world.begin_billing("ip", ip, IP_EUR_PER_H, at_s)


def next_address(context: Context) -> str:
    """Return an address of those for documentation that was not given out before."""
    count = len(context.world.ips)
    return f"198.51.{100 + count // 250}.{1 + count % 250}"


def addresses_of(context: Context, server: Server) -> list[Ip]:
    return [ip for ip in context.world.ips.values() if ip.server == server.id and ip.ended_s is None]


def _become_stopped(context: Context, server: Server, at_s: float) -> None:
    server.state, server.detail = "stopped", ""
    context.world.end_billing(server.id, at_s)
    _drop_dynamic_ip(context, server, at_s)


def _drop_dynamic_ip(context: Context, server: Server, at_s: float) -> None:
    for ip in addresses_of(context, server):
        if not ip.dynamic:
            continue
        if context.faults.dynamic_ip_stays:
            ip.dynamic, ip.server = False, None
            continue
        ip.ended_s, ip.server = at_s, None
        context.world.end_billing(ip.id, at_s)


def end_server(context: Context, server: Server, at_s: float, *, ends_local: bool) -> None:
    """Take a server away: its compute ends, local volumes with it if so said, block volumes are let go, reserved IPs stay."""
    world = context.world
    server.ended_s, server.state, server.detail = at_s, "stopped", ""
    world.end_billing(server.id, at_s)
    _drop_dynamic_ip(context, server, at_s)
    for ip in addresses_of(context, server):
        ip.server = None
    for identity in server.volumes.values():
        volume = world.volumes[identity]
        volume.server = None
        if volume.kind == "sbs_volume":
            volume.detaching_from, volume.detached_s = server.id, at_s + context.timing.detach_s
        elif ends_local:
            volume.ended_s = at_s
            world.end_billing(volume.id, at_s)
