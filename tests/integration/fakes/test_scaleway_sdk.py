"""The fake cloud speaks as the official client does: it accepts every request the client makes of it, and each answer is what the
client's models say, field by field; unmarshalling alone would take nearly anything."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from scaleway import Client
from scaleway.block.v1 import BlockV1API
from scaleway.block.v1.types import CreateVolumeRequestFromEmpty
from scaleway.iam.v1alpha1 import IamV1Alpha1API
from scaleway.instance.v1 import types as instance_types
from scaleway.instance.v1.custom_api import InstanceUtilsV1API
from scaleway.marketplace.v2 import MarketplaceV2API
from scaleway_core.api import API, ScalewayException

from tests.fakes.scaleway import PROJECT, SECRET_KEY, FakeScaleway, Mishap, Timing
from tests.fakes.scaleway.catalogue import ACCESS_KEY, TYPES, types_in
from tests.fakes.scaleway.routes import ROUTES

ZONE = "fr-par-1"
GB = 10**9
# What the real API says and the models, with their enums in lower case and words joined, do not know (SCALEWAY.md, 0.5).
KNOWN_DEVIATIONS = {"stopped in place", "TCP"}
# What the real API sends and the models leave out.
KNOWN_EXTRAS = {"bootscript", "extra_networks"}
# The models promise a str here, and recordings have null.
KNOWN_LIES = {"Ip.prefix"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFake fake"


def conforms(value: object, hint: Any, place: str) -> Iterator[str]:
    """Yield what is wrong with a value the client made of an answer."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if value is not None:
            yield from conforms(value, next(kind for kind in inner if kind is not type(None)), place)
    elif origin is list:
        for n, entry in enumerate(typing.cast(list[object], value)):
            yield from conforms(entry, inner[0], f"{place}[{n}]")
    elif origin is dict:
        for key, entry in typing.cast(dict[str, object], value).items():
            yield from conforms(entry, inner[1], f"{place}[{key}]")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in {member.value for member in hint} | KNOWN_DEVIATIONS:
            yield f"{place}: {value!r} is no {hint.__name__}"
    elif dataclasses.is_dataclass(hint):
        for name, kind in typing.get_type_hints(hint).items():
            if f"{hint.__name__}.{name}" not in KNOWN_LIES:
                yield from conforms(getattr(value, name), kind, f"{place}.{name}")
    elif hint is float:
        if not isinstance(value, (int, float)):
            yield f"{place}: {value!r} is no float"
    elif hint in {str, int, bool, datetime} and type(value) is not hint:
        yield f"{place}: {value!r} is no {hint.__name__}"


def fits(shown: object, hint: Any, place: str) -> Iterator[str]:
    """Yield the fields of an answer that the models do not know, and those of the models that the answer lacks."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if shown is not None:
            yield from fits(shown, next(kind for kind in inner if kind is not type(None)), place)
    elif isinstance(shown, list) and origin is list:
        for entry in shown:
            yield from fits(entry, inner[0], place)
    elif isinstance(shown, dict) and origin is dict:
        for entry in shown.values():
            yield from fits(entry, inner[1], place)
    elif isinstance(shown, dict) and dataclasses.is_dataclass(hint):
        hints = {name.rstrip("_"): kind for name, kind in typing.get_type_hints(hint).items()}
        yield from (f"{place}.{name}: not in the model" for name in set(shown) - set(hints) - KNOWN_EXTRAS)
        needed = {name for name, kind in hints.items() if type(None) not in typing.get_args(kind)}
        yield from (f"{place}.{name}: missing" for name in needed - set(shown) - KNOWN_EXTRAS)
        for name in set(shown) & set(hints):
            yield from fits(shown[name], hints[name], f"{place}.{name}")


class Official:
    """The official client, with every answer it gets checked against its models."""

    def __init__(self, cloud: FakeScaleway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud = cloud
        client = Client(
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            api_url=cloud.url,
            default_project_id=PROJECT,
            default_organization_id=None,
            default_zone=ZONE,
        )
        self.instance = InstanceUtilsV1API(client)
        self.block = BlockV1API(client)
        self.marketplace = MarketplaceV2API(client)
        self.iam = IamV1Alpha1API(client)
        self._last: requests.Response | None = None
        ask = API._request

        def ask_and_keep(api: API, *arguments: Any, **named: Any) -> requests.Response:
            self._last = ask(api, *arguments, **named)
            return self._last

        monkeypatch.setattr(API, "_request", ask_and_keep)

    def call(self, method: Callable[..., Any], **values: Any) -> Any:
        """Call a method, and check what it returns; a list is fetched a page at a time."""
        answer = method(**values)
        if dataclasses.is_dataclass(answer):
            kind = type(answer)
            assert self._last is not None
            shown = self._last.json()
            if "X-Total-Count" in self._last.headers:
                # The client puts the header there itself, as it came.
                answer = dataclasses.replace(answer, total_count=int(shown["total_count"]))
            wrong = [*conforms(answer, kind, kind.__name__), *fits(shown, kind, kind.__name__)]
            assert not wrong, wrong
        return answer


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> Iterator[Official]:
    # The machine's own proxy is not for the loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FakeScaleway(timing=Timing.none()) as cloud:
        yield Official(cloud, monkeypatch)


def find_image(official: Official, kind: str = "instance_local") -> str:
    images = official.call(official.marketplace.list_local_images, image_label="debian_bookworm", zone=ZONE, type_=kind)
    (image,) = [row for row in images.local_images if "GP1-S" in row.compatible_commercial_types]
    return str(image.id)


def create(official: Official, *, kind: str = "l_ssd", **values: Any) -> Any:
    image = find_image(official, "instance_local" if kind == "l_ssd" else "instance_sbs")
    root = instance_types.VolumeServerTemplate(volume_type=instance_types.VolumeVolumeType(kind), size=20 * GB, boot=None)
    given = {"name": "job-1", "commercial_type": "GP1-S", "image": image, "volumes": {"0": root}, "tags": ["suite=scan", "job=1"]}
    return official.call(official.instance.create_server, **{**given, **values}).server


def walk_servers(official: Official) -> None:
    instance = official.instance
    group = official.call(instance.create_security_group, name="g", description="", stateful=True).security_group
    server = create(official, protected=False, dynamic_ip_required=True, security_group=group.id, boot_type="local")
    assert instance.set_server_user_data(server.id, "cloud-init", b"#cloud-config\n").status_code == 204
    assert official.call(instance.list_server_user_data, server_id=server.id).user_data == ["cloud-init"]
    assert instance.get_server_user_data(server.id, "cloud-init").content == b"#cloud-config\n"
    instance.delete_server_user_data(server_id=server.id, key="cloud-init")
    official.call(instance._update_server, server_id=server.id, name="job-2", tags=["suite=scan"], protected=False)
    official.call(instance.get_server_compatible_types, server_id=server.id)
    for action, state in (
        ("poweron", "running"),
        ("reboot", "running"),
        ("stop_in_place", "stopped in place"),
        ("poweron", "running"),
    ):
        task = official.call(instance.server_action, server_id=server.id, action=instance_types.ServerAction(action)).task
        assert task.id.strip("0-") == ""
        assert official.call(instance.get_server, server_id=server.id).server.state == state
        assert "poweron" in official.call(instance.list_server_actions, server_id=server.id).actions or state == "running"
    assert [row.id for row in official.call(instance.list_servers, tags=["suite=scan"], name="job", state="running").servers] == [
        server.id
    ]
    assert [row.id for row in instance.list_servers_all(per_page=1)] == [server.id]
    official.call(instance.server_action, server_id=server.id, action=instance_types.ServerAction.TERMINATE)
    with pytest.raises(ScalewayException, match="not_found"):
        instance.get_server(server_id=server.id)
    instance.delete_server(server_id=create(official).id)
    walk_group(official, group.id)


def walk_group(official: Official, group: str) -> None:
    instance = official.instance
    rule = {"protocol": "TCP", "direction": "inbound", "action": "accept", "ip_range": "203.0.113.7/32", "position": 1}
    official.call(instance.create_security_group_rule, security_group_id=group, dest_port_from=22, editable=True, **rule)
    rules = [instance_types.SetSecurityGroupRulesRequestRule(dest_port_from=22, **rule)]
    official.call(instance.set_security_group_rules, security_group_id=group, rules=rules)
    assert len(official.call(instance.list_security_group_rules, security_group_id=group).rules) == 4
    drop = instance_types.SecurityGroupPolicy.DROP
    official.call(instance.update_security_group, security_group_id=group, inbound_default_policy=drop, tags=["a"])
    assert official.call(instance.get_security_group, security_group_id=group).security_group.inbound_default_policy == "drop"
    assert len(official.call(instance.list_security_groups).security_groups) == 2
    instance.delete_security_group(security_group_id=group)


def walk_storage(official: Official) -> None:
    instance, block = official.instance, official.block
    server = create(official, kind="sbs_volume")
    volume = next(iter(server.volumes.values())).id
    with pytest.raises(ScalewayException, match="instance_volume"):
        instance.get_volume(volume_id=volume)
    official.call(block.update_volume, volume_id=volume, name="job-1-root", tags=["job=1"])
    held = official.call(block.list_volumes, include_deleted=False, product_resource_id=server.id, tags=["job=1", "other"]).volumes
    assert [(row.id, row.status, len(row.references)) for row in held] == [(volume, "in_use", 1)]
    instance.delete_server(server_id=server.id)
    assert official.call(block.get_volume, volume_id=volume).references == []
    block.delete_volume(volume_id=volume)
    made = official.call(
        block.create_volume, name="v", from_empty=CreateVolumeRequestFromEmpty(size=GB), perf_iops=5000, tags=["x"]
    )
    assert [row.id for row in block.list_volumes_all(include_deleted=False)] == [made.id]
    local = official.call(instance.create_volume, name="v", size=20 * GB, volume_type=instance_types.VolumeVolumeType.L_SSD).volume
    official.call(instance.update_volume, volume_id=local.id, name="w", tags=["x"])
    assert official.call(instance.get_volume, volume_id=local.id).volume.name == "w"
    assert len(official.call(instance.list_volumes, tags=["x"]).volumes) == 1
    instance.delete_volume(volume_id=local.id)


def walk_addresses(official: Official) -> None:
    instance = official.instance
    ip = official.call(instance.create_ip, type_=instance_types.IpType.ROUTED_IPV4, tags=["suite=scan"]).ip
    server = create(official, public_ips=[ip.id])
    assert [row.address for row in server.public_ips] == [ip.address]
    assert official.call(instance.get_ip, ip=ip.id).ip.server.id == server.id
    official.call(instance.update_ip, ip=ip.id, tags=["other"], reverse="host.example.org")
    assert len(official.call(instance.list_ips, tags=["other"]).ips) == 1
    instance.delete_ip(ip=ip.id)


def walk_choices(official: Official) -> None:
    instance = official.instance
    names: list[str] = []
    for page in (1, 2, 3):
        answer = official.call(instance.list_servers_types, page=page, per_page=50)
        stock = official.call(instance.get_server_types_availability, page=page, per_page=50)
        assert set(stock.servers) == set(answer.servers) and answer.total_count == stock.total_count
        names += answer.servers
    assert set(names) == set(types_in(ZONE)) == set(TYPES) and len(names) == len(TYPES) > 100
    image = find_image(official)
    official.call(official.marketplace.get_local_image, local_image_id=image)
    official.call(instance.get_image, image_id=image)


def walk_keys(official: Official) -> None:
    iam = official.iam
    key = official.call(iam.create_ssh_key, public_key=KEY, name="job")
    official.call(iam.update_ssh_key, ssh_key_id=key.id, name="job-1", disabled=False)
    assert official.call(iam.get_ssh_key, ssh_key_id=key.id).name == "job-1"
    assert len(official.call(iam.list_ssh_keys, name="job").ssh_keys) == 1
    iam.delete_ssh_key(ssh_key_id=key.id)


WALKS = (walk_servers, walk_storage, walk_addresses, walk_choices, walk_keys)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.removeprefix("walk_"))
def test_requests_and_answers_are_those_of_the_official_client(official: Official, walk: Callable[[Official], None]) -> None:
    walk(official)

    refused = [row for row in official.cloud.requests if row.status is None or row.status >= 500]
    assert not refused


def test_every_call_the_fake_offers_was_made_by_the_official_client(official: Official) -> None:
    for walk in WALKS:
        walk(official)

    made = official.cloud.requests
    missed = [
        f"{route.method} {route.pattern.pattern}"
        for route in ROUTES
        if not any(row.method == route.method and route.pattern.fullmatch(row.path) and (row.status or 500) < 300 for row in made)
    ]
    assert not missed


@pytest.mark.parametrize("state", ["starting", "stopping"])
def test_a_server_on_its_way_conforms_too(official: Official, state: str) -> None:
    server = create(official)
    official.cloud.set(stuck=(state,))
    official.call(official.instance.server_action, server_id=server.id, action=instance_types.ServerAction.POWERON)
    if state == "stopping":
        official.call(official.instance.server_action, server_id=server.id, action=instance_types.ServerAction.TERMINATE)

    assert official.call(official.instance.get_server, server_id=server.id).server.state == state


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("denied", 403),
        ("error-before", 500),
        ("expired", 410),
        ("in-use", 412),
        ("locked", 423),
        ("not-found", 404),
        ("out-of-stock", 412),
        ("quota", 403),
        ("quota-old", 403),
        ("transient", 409),
    ],
)
def test_errors_reach_the_official_client_as_its_own(official: Official, kind: str, status: int) -> None:
    official.cloud.set(mishaps=(Mishap(kind=kind),))

    with pytest.raises(ScalewayException) as caught:
        official.instance.list_servers()

    assert caught.value.status_code == status
    assert json.loads(str(caught.value))["type"]


def test_the_official_client_stumbles_over_an_empty_error_as_it_does_in_the_field(official: Official) -> None:
    official.cloud.set(mishaps=(Mishap(kind="too-many"),))

    with pytest.raises(requests.exceptions.JSONDecodeError):
        official.instance.list_servers()
