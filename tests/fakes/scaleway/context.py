"""What an endpoint works with: the world, the time, the faults of this moment; and how things are found in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from .catalogue import IMAGES
from .faults import Faults
from .machines import Machine, Machines
from .messages import (
    Call,
    invalid_argument,
    invalid_fields,
    invalid_request,
    not_found,
    permissions_denied,
    quota_exceeded_of_old,
    quotas_exceeded,
)
from .records import Group, Ip, Key, Server, Timing, Volume, World

R = TypeVar("R", Server, Volume, Ip, Group, Key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """half_created: this request leaves its work half done (faults.Mishap)."""

    world: World
    now_s: float
    faults: Faults
    timing: Timing
    machines: Machines
    project: str
    half_created: int = 0

    def find(self, table: Mapping[str, R], resource: str, identity: str, zone: str | None = None) -> R:
        """Return what exists by that id. Raises Refusal."""
        record = table.get(identity)
        if record is None or record.ended_s is not None or (zone is not None and getattr(record, "zone", zone) != zone):
            raise not_found(resource, identity)
        if self.now_s - record.created_s < self.faults.found_late_s:
            raise not_found(resource, identity)
        return record

    def listed(self, records: Iterable[R]) -> list[R]:
        """Return what a list shows of them, in the order of creation."""
        return [record for record in records if self._is_listed(record)]

    def _is_listed(self, record: R) -> bool:
        if self.now_s - record.created_s < self.faults.listed_late_s:
            return False
        return record.ended_s is None or self.now_s - record.ended_s < self.faults.listed_after_end_s

    def check_project(self, fields: Mapping[str, object], name: str = "project") -> str:
        """Return the project something is to be made in. Raises Refusal for none, two, or one that is not the key's."""
        organization = {"project": "organization", "project_id": "organization_id"}[name]
        if name in fields and organization in fields:
            raise invalid_request(f"{name} and {organization} are mutually exclusive")
        if name not in fields and organization not in fields:
            raise invalid_argument(name, "required", "required key not provided")
        said = fields.get(name, self.project)
        if said != self.project:
            raise permissions_denied("write", "project")
        return self.project

    def check_quota(self, name: str, current: int) -> None:
        quota = self.faults.quotas.get(name)
        if quota is None or current < quota:
            return
        raise quota_exceeded_of_old(name) if self.faults.quota_old else quotas_exceeded(name, quota, current)

    def keep_tags(self, fields: Mapping[str, object]) -> list[str]:
        """Return the tags of something new."""
        tags = check_tags(fields)
        return [] if self.faults.tags_lost else tags

    def begin(self, verb: str, server: Server) -> None:
        """Have the machine of a server do something."""
        image = IMAGES[server.image]
        user_data = {name: text.encode("latin-1") for name, text in server.user_data.items()}
        machine = Machine(
            id=server.id,
            zone=server.zone,
            name=server.name,
            commercial_type=server.commercial_type,
            image_label=image.label,
            tags=tuple(server.tags),
            user_data=user_data,
        )
        self.machines.begin(verb, machine)


def check_tags(fields: Mapping[str, object]) -> list[str]:
    """Return tags as they were sent. Raises Refusal."""
    tags = fields.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise invalid_fields(tags="expected a list of str")
    return list(tags)


def has_tags(record: Server | Volume | Ip | Group, tags: Sequence[str]) -> bool:
    """Tell whether a record has all of them."""
    return set(tags) <= set(record.tags)


def iso(at_s: float, *, zulu: bool = False) -> str:
    """Return a time as the instance API writes it, or as the newer ones do (zulu)."""
    text = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z") if zulu else text


def in_project(record: Server | Volume | Ip | Group | Key, call: Call, name: str = "project") -> bool:
    return call.text(name) in {None, record.project}
