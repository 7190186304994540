"""Machines of Scaleway: how one is rented so that nothing of it can be left behind, and how all of it is given back.

A type with a disk of its own is taken with it and with an address that goes when the machine goes: then one call ends all that is
paid for. Of any other type the block volume outlives the machine: it is labelled and noted before the machine is switched on.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from plexguard.cloud_run.choosing.estimate import Prices
from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.provider import Note, NotGone, Offer, Order
from plexguard.cloud_run.providers.scaleway import parse
from plexguard.cloud_run.providers.scaleway.api import Api, Busy, NotThere, Unsure
from plexguard.cloud_run.rent.keys import Keys
from plexguard.cloud_run.rent.labels import Label
from plexguard.cloud_run.rent.resources import Key, Kind, Listing, Resource
from plexguard.core.clock import Clock
from plexguard.core.errors import MissingInput, PeerError, PlexguardError, TryAgain, Unavailable
from plexguard.core.secret import Secret
from plexguard.core.ssh import Login

# How long each wait may last: a start was recorded at 35 s, an end at 118 s.
_PATIENCE_S = 240.0
# Most of what is waited for is there at the first look; then three questions a minute.
_FIRST_LOOK_S, _LOOK_S = 6.0, 20.0
# After what times it is looked whether a call that got no answer has made something all the same.
_UNSURE_LOOKS_S = (2.0, 5.0, 10.0)
_CREATE_ATTEMPTS = 3
# The second is one that has powered itself off: it keeps its disk and is paid for, and can be switched on.
_OFF = ("stopped", "stopped in place")
# From which a machine can be had, the best first.
_LEADS_ON = ("running", "starting", *_OFF)
_USER_DATA = "user_data/cloud-init"
_IMAGE_KINDS = {True: "instance_local", False: "instance_sbs"}


class Scaleway:
    is_rented = True

    def __init__(self, config: Config, key: Secret, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._api = Api(config.api, key, clock)

    @property
    def zones(self) -> tuple[str, ...]:
        return self._config.zones

    # -- looking ------------------------------------------------------------------------------------------------------

    def find_offers(self, zone: str) -> Mapping[str, Offer]:
        base = f"/instance/v1/zones/{zone}/products/servers"
        rows = {name: row for page in self._api.pages(base, "servers") for name, row in page.items()}
        free = {name: row for page in self._api.pages(f"{base}/availability", "servers") for name, row in page.items()}
        return {
            name: parse.parse_offer(name, row, str((free.get(name) or {}).get("availability", "")))
            for name, row in rows.items()
            # There are machines without a price by the hour, and with odd ones; they are none that a run asks for.
            if isinstance(row, dict) and row.get("hourly_price") is not None
        }

    def price(self, offer: Offer, *, is_local_disk: bool) -> Prices:
        disk = self._config.local_disk_price if is_local_disk else self._config.block_disk_price
        return Prices(machine=offer.hourly_euros, disk_gb=disk, address=self._config.address_price)

    def check(self, zone: str, type_name: str, *, is_local_disk: bool) -> datetime:
        # A quota is told at the creation, and by another API before, for which the key has no right.
        self.find_image(zone, type_name, is_local_disk=is_local_disk)
        # All that a run leaves must be seen, in both generations of the API.
        return self.list(zone).at

    def list(self, zone: str) -> Listing:
        project = self._config.project
        found = [
            *(parse.parse_server(row, zone) for row in self._rows(zone, "servers", project=project)),
            *(parse.parse_local_volume(row, zone) for row in self._rows(zone, "volumes", project=project)),
            *(parse.parse_address(row, zone) for row in self._rows(zone, "ips", project=project)),
            *(parse.parse_block_volume(row, zone) for row in self._block_rows(zone, project_id=project)),
        ]
        return Listing(zone=zone, at=self._api.date, resources=tuple(found))

    def _rows(self, zone: str, what: str, **query: str) -> Iterator[Any]:
        for page in self._api.pages(f"/instance/v1/zones/{zone}/{what}", what, **query):
            yield from page

    def _block_rows(self, zone: str, **query: str) -> Iterator[Any]:
        for page in self._api.pages(f"/block/v1/zones/{zone}/volumes", "volumes", size_key="page_size", **query):
            yield from page

    def find_image(self, zone: str, type_name: str, *, is_local_disk: bool) -> str:
        """Return the image that a type starts from. Raises MissingInput when there is none under the label of the configuration."""
        label = self._config.image
        query = {"image_label": label, "zone": zone, "type": _IMAGE_KINDS[is_local_disk]}
        pages = self._api.pages("/marketplace/v2/local-images", "local_images", size_key="page_size", **query)
        try:
            found = parse.find_image([row for page in pages for row in page], type_name)
        except NotThere:
            found = ""  # nobody there knows the label
        if not found:
            raise MissingInput(f"{label}: no such image for {type_name} in {zone}", hint="name another image in [cloud-run]")
        return found

    # -- renting ------------------------------------------------------------------------------------------------------

    def rent(self, order: Order, note: Note) -> Resource:
        server = self._find_made(order, note)
        if server is None and order.is_made:
            raise PeerError(f"{order.label.name}: the machine that was rented is gone", hint="plexguard-cloud-run cost")
        server = server or self._create(order, note)
        self._note(server, note)
        for part in server.parts:
            if part.kind is Kind.BLOCK_VOLUME:
                self._mark(part, order.label)
        if server.state == "stopped" and order.user_data:
            self._api.ask("PATCH", f"{_path(server.key)}/{_USER_DATA}", text=order.user_data)
        running = self._switch_on(server.key, note)
        # Of a create call that got no answer a second machine may have come to light.
        made = self._find_made(order, note)
        return running if made is None or made.key == running.key else self._switch_on(made.key, note)

    def _note(self, server: Resource, note: Note) -> None:
        for key in (server.key, *server.parts):
            note(key)

    def _find_made(self, order: Order, note: Note) -> Resource | None:
        """Return the machine that bears this very label, None when there is none; what bears it beside that is given back."""
        rows = self._rows(order.zone, "servers", project=self._config.project)
        servers = [parse.parse_server(row, order.zone) for row in rows]
        ours = [server for server in servers if server.label == order.label]
        usable = [server for server in ours if server.state in _LEADS_ON]
        kept = min(usable, key=lambda server: (_LEADS_ON.index(server.state), server.key.id), default=None)
        if extra := [server for server in ours if server is not kept]:
            self.destroy(extra, order.label, note)
        return kept

    def _create(self, order: Order, note: Note) -> Resource:
        image = order.image or self.find_image(order.zone, order.type, is_local_disk=order.is_local_disk)
        body = {
            "name": order.label.name,
            "project": self._config.project,
            "commercial_type": order.type,
            "image": image,
            "volumes": {"0": {"volume_type": "l_ssd" if order.is_local_disk else "sbs_volume", "size": order.disk_bytes}},
            "dynamic_ip_required": True,
            "boot_type": "local",
            "tags": [*order.label.tags, *_client_tags(order.client_key)],
        }
        failure: Exception = Unavailable("no attempt was made")
        for _ in range(_CREATE_ATTEMPTS):
            try:
                answer = self._api.ask_once("POST", f"/instance/v1/zones/{order.zone}/servers", body=body)
                return parse.parse_server(answer.get("server") if isinstance(answer, dict) else None, order.zone)
            except (Unsure, Busy) as error:
                failure = error
            for pause_s in _UNSURE_LOOKS_S:
                self._clock.sleep(pause_s)
                if (made := self._find_made(order, note)) is not None:
                    return made
        raise failure

    def _mark(self, volume: Key, label: Label) -> None:
        """Write a label on a volume, which has the image's name and nothing else until then. One that is gone needs none."""
        body: dict[str, object] = {"name": label.name}
        if volume.kind is Kind.BLOCK_VOLUME:
            body["tags"] = list(label.tags)
        try:
            self._api.ask("PATCH", _path(volume), body=body)
        except NotThere:
            return

    def _switch_on(self, key: Key, note: Note) -> Resource:
        """Return the machine once it runs and has an address. Raises PeerError when it is gone, or leads nowhere."""
        refusal = ""
        for pause_s in _looks():
            server = self._get_server(key)
            if server is None or server.state not in _LEADS_ON:
                raise PeerError(f"{key.id}: the machine is {server.state if server else 'gone'}, and should start")
            if server.state == "running" and server.addresses:
                # With its address, which came with it.
                self._note(server, note)
                return server
            if server.state in _OFF:
                refusal = self._act(key, "poweron")
            self._clock.sleep(pause_s)
        raise Unavailable(f"{key.id}: the machine did not start in time{refusal}")

    def _act(self, key: Key, action: str) -> str:
        """Ask for an action, and return what was said against it. What came of it the machine's state tells, also when no answer
        came, and when it was refused since another is under way."""
        try:
            self._api.ask_once("POST", f"{_path(key)}/action", body={"action": action})
        except (Unsure, Busy, NotThere, PeerError) as error:
            return f": {error}"
        return ""

    def _get_server(self, key: Key) -> Resource | None:
        try:
            answer = self._api.ask("GET", _path(key))
        except NotThere:
            return None
        return parse.parse_server(answer.get("server") if isinstance(answer, dict) else None, key.zone)

    def find_login(self, server: Key, keys: Keys) -> Login:
        found = self._get_server(server)
        if found is None or not found.addresses:
            raise TryAgain(f"{server.id}: the machine is {found.state if found else 'gone'}, and has no address")
        return keys.login(server.id, found.addresses[0])

    def forget_user_data(self, server: Key) -> None:
        try:
            self._api.ask("DELETE", f"{_path(server)}/{_USER_DATA}")
        except NotThere:
            return

    # -- giving back --------------------------------------------------------------------------------------------------

    def destroy(self, resources: Sequence[Resource], label: Label, note: Note) -> None:
        parts: list[Key] = []
        for server in (resource for resource in resources if resource.key.kind is Kind.SERVER):
            parts += self._destroy_server(server.key, label, note)
        parts += [resource.key for resource in resources if resource.key.kind is not Kind.SERVER]
        for part in dict.fromkeys(parts):
            self._destroy_other(part)

    def _destroy_server(self, key: Key, label: Label, note: Note) -> tuple[Key, ...]:
        """Give a machine back, and return what it had. A local volume goes with a machine that runs, and stays of one that does
        not; a block volume always stays."""
        parts: tuple[Key, ...] = ()
        state = refusal = ""
        for pause_s in _looks():
            server = self._get_server(key)
            if server is None:
                return parts
            if not state:
                parts = server.parts
                self._note(server, note)
                for volume in server.volumes:
                    if volume.kind is Kind.BLOCK_VOLUME or server.state == "stopped":
                        # It is noted all the same; its machine, which costs most, ends whatever becomes of this.
                        with contextlib.suppress(PlexguardError):
                            self._mark(volume, label)
            state = server.state
            if state == "running" or state in parse.STANDBY:
                refusal = self._act(key, "terminate")
            elif state == "stopped":
                refusal = self._delete(key)
            self._clock.sleep(pause_s)
        raise NotGone(f"{key.id}: the machine is still there, {state}{refusal}")

    def _destroy_other(self, key: Key) -> None:
        """Give a volume or an address back. One that its machine has not let go yet is asked for again."""
        refusal = ""
        for pause_s in _looks():
            refusal = self._delete(key)
            if not refusal:
                return
            self._clock.sleep(pause_s)
        raise NotGone(f"{key.id}: the {key.kind.value} is still there{refusal}")

    def _delete(self, key: Key) -> str:
        """Ask for a thing to be deleted, and return what was said against it, "" when it is gone or will be."""
        try:
            self._api.ask_once("DELETE", _path(key))
        except NotThere:
            return ""
        except (Busy, Unsure, PeerError) as error:
            # Refused while it is attached, for which each generation of the API has words of its own.
            return f": {error}"
        return ""


def _client_tags(public_key: str) -> tuple[str, ...]:
    """Return the tag by which the images of Scaleway let a key in: their own service writes root's keys anew at each boot."""
    return (f"AUTHORIZED_KEY={'_'.join(public_key.split()[:2])}",) if public_key else ()


def _path(key: Key) -> str:
    """Return where the API knows a thing."""
    match key.kind:
        case Kind.SERVER:
            return f"/instance/v1/zones/{key.zone}/servers/{key.id}"
        case Kind.LOCAL_VOLUME:
            return f"/instance/v1/zones/{key.zone}/volumes/{key.id}"
        case Kind.ADDRESS:
            return f"/instance/v1/zones/{key.zone}/ips/{key.id}"
        case Kind.BLOCK_VOLUME:
            return f"/block/v1/zones/{key.zone}/volumes/{key.id}"


def _looks() -> Iterator[float]:
    """Yield after what times to look again, until the patience is over."""
    yield _FIRST_LOOK_S
    waited_s = _FIRST_LOOK_S
    while waited_s < _PATIENCE_S:
        yield _LOOK_S
        waited_s += _LOOK_S
