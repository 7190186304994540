"""What of [notify] only a unit can hold: the credentials of the channels. Pure."""

from plexguard.core.secret import ADMIN_CREDENTIALS, NO_CREDENTIAL
from plexguard.core.units import DropIns, Site
from plexguard.notify.config import CREDENTIALS, Config, credential_name

_SERVICE = "plexguard-notify.service"


def drop_ins(config: Config, site: Site) -> DropIns:
    """Return the drop-ins of the delivery's unit, by "unit/file". A file that is missing is told by the delivery itself, which says
    what to write where."""
    names = [credential_name(name, what) for name, channel in config.channel.items() for what in CREDENTIALS.get(channel.kind, ())]
    lines = [line for name in sorted(names) for line in _lines(name)]
    return {f"{_SERVICE}.d/50-channels.conf": "[Service]\n" + "\n".join(lines) + "\n"} if lines else {}


def _lines(name: str) -> list[str]:
    return [f"LoadCredential={name}:{ADMIN_CREDENTIALS / name}", f"SetCredential={name}:{NO_CREDENTIAL}"]
