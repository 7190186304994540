"""The secrets of the channels: files that systemd hands over, one each, under names of their own."""

from collections.abc import Mapping

from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, read_credential
from plexguard.notify.config import CREDENTIALS, Channel


def credential_name(name: str, what: str) -> str:
    """Return the name of a channel's credential, which is its file's name too."""
    return f"notify.{name}.{what}"


def read_credentials(name: str, channel: Channel) -> Mapping[str, Secret]:
    """Return what is there of a channel's secrets, by "url", "token", "hmac". Raises NoPermission."""
    found = {what: read_credential(credential_name(name, what)) for what in CREDENTIALS[channel.kind]}
    return {what: Secret(text) for what, text in found.items() if text is not None}


def find_missing(name: str, channel: Channel, given: Mapping[str, Secret]) -> str:
    """Return in a line what a channel cannot do without and is not there, "" when all is."""
    what = {"webhook": "url", "apprise": "url", "ping": "url", "airtable": "token"}.get(channel.kind, "")
    if not what or what in given or (what == "url" and channel.url):
        return ""
    or_url = ' or set "url"' if channel.kind != "airtable" and channel.kind != "apprise" else ""
    return f"channel {name}: no {what}: write it to {ADMIN_CREDENTIALS / credential_name(name, what)} (mode 0600){or_url}"
