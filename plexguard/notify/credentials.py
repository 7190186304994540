"""The secrets of the channels: files that systemd hands over, one each, under names of their own."""

import re
from collections.abc import Mapping

from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, read_credential
from plexguard.notify.config import CREDENTIALS, Channel, credential_name

_SEPARATORS = re.compile(r"[/?&=@:#]")
# Shorter parts are words such as "hook", which a log may hold for other reasons.
_LEAST_SECRET = 8


def read_credentials(name: str, channel: Channel) -> Mapping[str, Secret]:
    """Return what is there of a channel's secrets, by "url", "token", "hmac". Raises NoPermission."""
    found = {what: read_credential(credential_name(name, what)) for what in CREDENTIALS[channel.kind]}
    given = {what: Secret(text) for what, text in found.items() if text is not None}
    if "url" in given:
        _hide_parts(given["url"].reveal())
    return given


def _hide_parts(urls: str) -> None:
    """Make known what of an address nobody should read in a log: a server may well repeat the path that it was asked for."""
    for url in urls.split():
        scheme, _, rest = url.partition("://")
        secret = rest.partition("/")[2] if scheme in ("http", "https") else rest
        for part in _SEPARATORS.split(secret):
            if len(part) >= _LEAST_SECRET:
                Secret(part)


def find_missing(name: str, channel: Channel, given: Mapping[str, Secret]) -> str:
    """Return in a line what a channel cannot do without and is not there, "" when all is."""
    what = channel.needs
    if not what or what in given:
        return ""
    or_url = ' or set "url"' if channel.kind != "airtable" and channel.kind != "apprise" else ""
    return f"channel {name}: no {what}: write it to {ADMIN_CREDENTIALS / credential_name(name, what)} (mode 0600){or_url}"
