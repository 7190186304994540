"""`guard`: the service that repairs what changes as it changes."""

import contextlib
import dataclasses
import os
from collections.abc import Callable

from plexguard.core.clock import Moment
from plexguard.core.guarded import Guarded
from plexguard.core.program import Ports
from plexguard.perms_audit.access import Guise
from plexguard.perms_audit.config import Config
from plexguard.perms_audit.guard.act import AuditRequests, run_guard
from plexguard.perms_audit.mend import Mender
from plexguard.perms_audit.observe import survey
from plexguard.perms_audit.policy import Policy
from plexguard.perms_audit.roots import RootFault
from plexguard.perms_audit.runs import Lately, RunLog
from plexguard.perms_audit.state import find_state_folder, load_state, open_state

_LINK_SETTLES_S = 5.0


def run(config: Config, ports: Ports, *, read_guarded: Callable[[Moment], Guarded]) -> int:
    folder = find_state_folder()
    state = open_state(folder, ports.journal)

    def look() -> Policy:
        """Return the policy with every root there may be: one that is not mounted now is watched when it comes."""
        guarded = read_guarded(ports.clock.moment())
        known = survey((), config, environment=os.environ, journal=ports.journal, past=load_state(state), guarded=guarded)
        roots = {root.path: root for root in (*known.policy.roots, *known.faulty) if root.fault is not RootFault.SYSTEM_FOLDER}
        return dataclasses.replace(known.policy, roots=tuple(roots.values()))

    policy = look()
    guise = Guise(policy.identity)
    guise.prepare()
    requests = AuditRequests(ports.manager, ports.journal, ports.clock)
    with contextlib.closing(RunLog(folder / "runs", "guard", ports.clock, waits_for_disk=False)) as runs:
        mender = Mender(
            policy,
            guise,
            runs=runs,
            journal=ports.journal,
            clock=ports.clock,
            lately=Lately(folder / "runs", ports.clock, within=config.repeat_after),
            dry_run=config.dry_run,
            # A name that is so young is left by an audit, see decide_linked().
            ask_audit=lambda reason: requests.ask(reason, after_s=_LINK_SETTLES_S),
        )
        try:
            return run_guard(
                [root.path for root in policy.roots],
                mender,
                ports,
                requests=requests,
                last_mounts=load_state(state).mounts,
                guarded=Guarded(mount_points={point: point for point in policy.guarded}),
                is_current=lambda: look().is_same(policy),
            )
        finally:
            mender.flush(last=True)
