"""What the tests of the fake cloud share: a caller that knows nothing of the API but HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.fakes.scaleway import PROJECT, SECRET_KEY
from tests.fakes.scaleway.cloud import FakeScaleway

ZONE = "fr-par-1"
GB = 10**9


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """The type of an error."""
        return str(self.json["type"])


class Caller:
    """Calls the API at an address, with a connection of its own for each call."""

    def __init__(self, url: str, *, token: str = SECRET_KEY, timeout_s: float = 10.0) -> None:
        self.place = urlsplit(url).netloc
        self.token = token
        self.timeout_s = timeout_s

    def ask(self, method: str, path: str, body: object = None, *, at: str = ZONE, **query: object) -> Reply:
        """Ask; a path that does not begin with / is of the instance API, in the zone. Raises what http.client raises."""
        place = path if path.startswith("/") else f"/instance/v1/zones/{at}/{path}"
        headers = {"X-Auth-Token": self.token} if self.token else {}
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        if data is not None:
            headers["Content-Type"] = "text/plain" if isinstance(body, bytes) else "application/json"
        connection = http.client.HTTPConnection(self.place, timeout=self.timeout_s)
        try:
            connection.request(method, f"{place}?{urlencode(query)}" if query else place, data, headers)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def block(self, method: str, path: str, body: object = None, *, at: str = ZONE, **query: object) -> Reply:
        return self.ask(method, f"/block/v1/zones/{at}/{path}", body, **query)

    def image(self, kind: str = "instance_local", *, zone: str = ZONE) -> str:
        rows = self.ask("GET", "/marketplace/v2/local-images", image_label="debian_bookworm", zone=zone, type=kind).json
        return str(next(row["id"] for row in rows["local_images"] if row["arch"] == "x86_64"))

    def wish(self, *, kind: str = "l_ssd", zone: str = ZONE, **values: object) -> dict[str, object]:
        """Return the body that asks for a server."""
        image = self.image("instance_local" if kind == "l_ssd" else "instance_sbs", zone=zone)
        root = {"volume_type": kind, "size": 100 * GB}
        asked = {"name": "job-1", "project": PROJECT, "commercial_type": "GP1-S", "image": image, "tags": ["suite=scan", "job=1"]}
        return {**asked, "volumes": {"0": root}, **values}

    def create(self, *, zone: str = ZONE, **values: Any) -> str:
        reply = self.ask("POST", "servers", self.wish(zone=zone, **values), at=zone)
        assert reply.status == 201, reply
        return str(reply.json["server"]["id"])

    def act(self, server: str, action: str) -> Reply:
        return self.ask("POST", f"servers/{server}/action", {"action": action})

    def server(self, server: str) -> Any:
        return self.ask("GET", f"servers/{server}").json["server"]

    def state(self, server: str) -> str:
        return str(self.server(server)["state"])

    def names(self, **query: object) -> list[str]:
        return [row["name"] for row in self.ask("GET", "servers", **query).json["servers"]]


def run(cloud: FakeScaleway, caller: Caller, **values: Any) -> str:
    """Create a server and have it run."""
    server = caller.create(**values)
    assert caller.act(server, "poweron").status == 202
    cloud.pass_time(60)
    assert caller.state(server) == "running"
    return server


def kinds(cloud: FakeScaleway) -> list[str]:
    """Return what is left, by kind."""
    return sorted(row.kind for row in cloud.left())
