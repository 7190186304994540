"""What of [cloud-run] only units can hold: the reaper, and what takes runs up again, run where something may be rented. Pure."""

from plexguard.cloud_run.config import Apply, Config
from plexguard.cloud_run.life.chain import WORKING_PHASES
from plexguard.core.units import DropIns, Site

# What works on a machine is root there, to have jobs done, ask the engine and put files of Plex's user in place: also on this one.
# The state of runs stays their user's, to whom what is made in it is given, and is not the unit's own then.
_AS_ROOT = """\
[Service]
User=root
PrivateUsers=no
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER
StateDirectory=
StateDirectory=plexguard-run
ReadWritePaths=/var/lib/plexguard/cloud-run
Environment=STATE_DIRECTORY=/var/lib/plexguard/cloud-run
SystemCallFilter=@chown
"""


def drop_ins(config: Config, _apply: Apply, site: Site) -> DropIns:
    """Return the drop-in that has the reaper's timer and the resumption run, where the cloud is configured; and where runs work on
    this very machine, those that let their phases do so."""
    if config.provider == "none":
        return {}
    made = {"plexguard.target.d/50-cloud.conf": "[Unit]\nWants=plexguard-cloud-reaper.timer plexguard-cloud-resume.service\n"}
    if config.provider == "local":
        made |= {f"plexguard-cloud-{phase}@.service.d/50-local.conf": _AS_ROOT for phase in WORKING_PHASES}
    return made
