"""What of [cloud-run] only units can hold: the reaper, and what takes runs up again, run where something may be rented. Pure."""

from plexguard.cloud_run.config import Config
from plexguard.core.units import DropIns, Site


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-in that has the reaper's timer and the resumption run, where the cloud is configured; and where runs work on
    this very machine, the one that lets the phase with Plex's container ask the engine, which nothing else of ours may."""
    if config.provider == "none":
        return {}
    made = {"plexguard.target.d/50-cloud.conf": "[Unit]\nWants=plexguard-cloud-reaper.timer plexguard-cloud-resume.service\n"}
    if config.provider == "local" and site.has_docker:
        made["plexguard-cloud-plex@.service.d/50-docker.conf"] = "[Service]\nSupplementaryGroups=docker\n"
    return made
