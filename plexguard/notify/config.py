"""The section [notify], and the channels below it."""

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from plexguard.core.events import Priority
from plexguard.core.options import BOOLEAN, TEXT, ZONE, Kind, choice, count, option, show_list, size, span, tables

PRIORITIES = {
    "crit": Priority.CRIT,
    "err": Priority.ERR,
    "warning": Priority.WARNING,
    "notice": Priority.NOTICE,
    "info": Priority.INFO,
}
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_GLOB = re.compile(r"[a-z0-9.*?\[\]!-]{1,100}", re.ASCII)
# What stands for itself in an address of mail; more than one person ever needs is left out, so that nothing can be smuggled in.
_ADDRESS = re.compile(r"[A-Za-z0-9._%+=-]{1,64}(?:@[A-Za-z0-9.-]{1,253})?", re.ASCII)
_WEB = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[^\s\x00-\x20\x7f/?#:@\[\]]+)(?::[0-9]{1,5})?(?:[/?][\x21-\x7e]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """The hours in which people are left alone; they may go over midnight."""

    begin: time
    end: time

    def holds(self, moment: time) -> bool:
        if self.begin <= self.end:
            return self.begin <= moment < self.end
        return moment >= self.begin or moment < self.end


def _quiet(value: object) -> Quiet | None:
    if value == "":
        return None
    found = _QUIET.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    begin, end = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if begin == end:
        raise ValueError
    return Quiet(begin=begin, end=end)


def _show_quiet(value: Quiet | None) -> str:
    return TEXT.show(f"{value.begin:%H:%M}-{value.end:%H:%M}" if value else "")


def _web(value: object) -> str:
    text = TEXT.parse(value)
    if text and not _WEB.fullmatch(text):
        raise ValueError
    if urlsplit(text).port == 0:  # raises ValueError too where it is none
        raise ValueError
    return text


def _matching_list(pattern: re.Pattern[str]) -> Any:
    def parse(value: object) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(item, str) and pattern.fullmatch(item) for item in value):
            raise ValueError
        return tuple(value)

    return parse


def _sender(value: object) -> str:
    text = TEXT.parse(value)
    if text and not _ADDRESS.fullmatch(text):
        raise ValueError
    return text


def _program(value: object) -> str:
    text = TEXT.parse(value)
    if not text.startswith("/") or text.endswith("/"):
        raise ValueError
    return text


PRIORITY = choice(*PRIORITIES)
QUIET: Kind[Quiet | None] = Kind('hours such as "22:00-07:00"; "" means: none', _quiet, _show_quiet)
OPTIONAL_ZONE: Kind[str] = Kind(
    f'{ZONE.allowed}; "" means: the one of this machine', lambda v: "" if v == "" else ZONE.parse(v), ZONE.show
)
WEB: Kind[str] = Kind('an address such as "https://example.org/hook", without a user; "" means: none', _web, TEXT.show)
GLOBS: Kind[tuple[str, ...]] = Kind('a list of event names, "*" for any text, such as ["plex.*"]', _matching_list(_GLOB), show_list)
ADDRESSES: Kind[tuple[str, ...]] = Kind(
    'a list of addresses, such as ["root", "me@example.org"]', _matching_list(_ADDRESS), show_list
)
ADDRESS: Kind[str] = Kind(
    'an address such as "plexguard@example.org"; "" means: whatever the mail system makes of it', _sender, TEXT.show
)
PROGRAM: Kind[str] = Kind('the absolute path of a program, such as "/usr/sbin/sendmail"', _program, TEXT.show)

KINDS = ("webhook", "airtable", "apprise", "mail", "ping")
# What each kind may be given as credentials, and what of it it cannot do without.
CREDENTIALS = {"webhook": ("url", "token", "hmac"), "airtable": ("token",), "apprise": ("url",), "mail": (), "ping": ("url",)}
_NEEDED = {"webhook": "url", "apprise": "url", "ping": "url", "airtable": "token"}
# Which kinds an option is for, where that is not all.
_ONLY_FOR = {
    "url": ("webhook", "airtable", "ping"),
    "base": ("airtable",),
    "table": ("airtable",),
    "name_field": ("airtable",),
    "time_field": ("airtable",),
    "message_field": ("airtable",),
    "severity_field": ("airtable",),
    "id_field": ("airtable",),
    "typecast": ("airtable",),
    "to": ("mail",),
    "sender": ("mail",),
    "interval": ("ping",),
    "rate": ("webhook", "airtable", "apprise", "mail"),
}
# Calls in a second, where nothing else is said. Airtable bears no more (airtable.com/developers/web/api/rate-limits), and
# healthchecks.io takes five pings a minute.
RATES = {"webhook": 10.0, "airtable": 5.0, "apprise": 1.0, "mail": 1.0, "ping": 5 / 60}
AIRTABLE_RATE = 5
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to people, or to a service."""

    kind: str = option(choice("", *KINDS), "", "webhook, airtable, apprise, mail or ping. Must be given.")
    min_priority: str = option(
        PRIORITY,
        "warning",
        "Tell what is at least this grave: crit, err, warning, notice or info; and the recovery from what was told.",
    )
    include: tuple[str, ...] = option(GLOBS, ("*",), 'Tell only events of these names, such as ["plex.*"].')
    exclude: tuple[str, ...] = option(GLOBS, (), "And none of these.")
    quiet: Quiet | None = option(QUIET, None, 'Hours in which everything is kept for later, such as "22:00-07:00".')
    quiet_zone: str = option(OPTIONAL_ZONE, "", 'The time zone of these hours, such as "Europe/Berlin". "": this machine\'s.')
    quiet_priority: str = option(PRIORITY, "err", "What is at least this grave comes through in these hours all the same.")
    fold: timedelta = option(
        span("0s", "1d"), timedelta(minutes=10), "How long the same trouble is gathered into one message with a count. 0s: never."
    )
    timeout: timedelta = option(span("1s", "2min"), timedelta(seconds=15), "How long one call may take, to its last byte.")
    rate: int = option(
        count(0, 100), 0, "Calls in a second, at most. 0: what the kind bears (webhook 10, airtable 5, apprise and mail 1)."
    )
    url: str = option(
        WEB, "", "webhook, ping: where to, unless the credential says it. airtable: where its API is, if not at api.airtable.com."
    )
    base: str = option(TEXT, "", 'airtable: the base\'s id, such as "appXXXXXXXXXXXXXX".')
    table: str = option(TEXT, "", "airtable: the table's name or id.")
    name_field: str = option(TEXT, "Name", 'airtable: the field for the title. "" leaves a field out, here and below.')
    time_field: str = option(TEXT, "Time", "airtable: the field for the time.")
    message_field: str = option(TEXT, "Message", "airtable: the field for the message.")
    severity_field: str = option(TEXT, "", "airtable: the field for the severity.")
    id_field: str = option(
        TEXT, "", "airtable: a text field for the event's id. With it Airtable itself drops what it has already."
    )
    typecast: bool = option(BOOLEAN, False, "airtable: let it make what it is given fit its fields, new choices included.")
    to: tuple[str, ...] = option(ADDRESSES, ("root",), "mail: to whom.")
    sender: str = option(ADDRESS, "", "mail: from whom.")
    interval: timedelta = option(span("1min", "1d"), timedelta(minutes=5), "ping: how often.")

    @property
    def calls_per_second(self) -> float:
        return float(self.rate or RATES[self.kind])

    @property
    def needs(self) -> str:
        """Which of its secrets it cannot do without, "" for none."""
        what = _NEEDED.get(self.kind, "")
        return "" if what == "url" and self.url else what

    def find_mistakes(self) -> tuple[str, ...]:
        """Return what only several options together have wrong."""
        return tuple(self._find_mistakes())

    def _find_mistakes(self) -> Iterator[str]:
        if not self.kind:
            yield f"kind: missing, allowed is {choice(*KINDS).allowed}"
            return
        for field in dataclasses.fields(self):
            kinds = _ONLY_FOR.get(field.name, KINDS)
            if self.kind not in kinds and getattr(self, field.name) != field.default:
                yield f'{field.name}: is not for kind "{self.kind}", only for {" and ".join(kinds)}'
        if self.kind == "airtable":
            yield from self._find_airtable_mistakes()
        if self.kind == "mail" and not self.to:
            yield "to: nobody is named"

    def _find_airtable_mistakes(self) -> Iterator[str]:
        if not _PLAIN.fullmatch(self.base):
            yield 'base: missing or no id of a base, such as "appXXXXXXXXXXXXXX"; it is part of the base\'s address'
        if not self.table:
            yield "table: missing"
        named = [
            name for name in (self.name_field, self.time_field, self.message_field, self.severity_field, self.id_field) if name
        ]
        if not named:
            yield "name_field: every field is left out, so there is nothing to send"
        if len(named) != len(set(named)):
            yield "name_field, time_field, message_field, severity_field, id_field: the same field twice"
        if self.rate > AIRTABLE_RATE:
            yield f"rate: found {self.rate}, and Airtable bears {AIRTABLE_RATE} calls a second and base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    SECTION: ClassVar[str] = "notify"

    spool_limit: int = option(
        size("1M", "10G"), 100 << 20, "How much is kept for channels that are away; then the oldest is dropped."
    )
    sendmail: str = option(PROGRAM, "/usr/sbin/sendmail", "What takes mail for channels of kind mail.")
    channel: dict[str, Channel] = tables(Channel, "A channel: a way to people, or to a service, under a name of its own.")

    def needed_credentials(self) -> tuple[str, ...]:
        """Return the names of the secrets that the channels cannot do without."""
        return tuple(credential_name(name, channel.needs) for name, channel in self.channel.items() if channel.needs)


def credential_name(name: str, what: str) -> str:
    """Return the name of a channel's credential, which is its file's name too."""
    return f"notify.{name}.{what}"
