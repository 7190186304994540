"""The handles of a fake that runs as a program, as paths of its own that no client of the API knows. remote.py calls them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .faults import FaultError
from .messages import Answer, Request

if TYPE_CHECKING:
    from .cloud import FakeScaleway

PREFIX = "/fake/"


def answer(cloud: FakeScaleway, request: Request) -> Answer:
    """Answer what is asked of the fake itself; a POST carries its arguments as an object."""
    what = request.path.removeprefix(PREFIX)
    if request.method == "GET":
        shown = _show(cloud, what)
        return Answer(status=404) if shown is None else Answer(body=shown)
    values: dict[str, Any] = json.loads(request.body or b"{}")
    try:
        _do(cloud, what, values)
    except (FaultError, KeyError, TypeError) as error:
        return Answer(status=400, body={"error": repr(error)})
    return Answer(body={})


def _show(cloud: FakeScaleway, what: str) -> object:
    if what == "left":
        return [asdict(row) for row in cloud.left()]
    if what == "meter":
        return [asdict(row) for row in cloud.meter()]
    if what == "requests":
        return [row.as_values() for row in list(cloud.requests)]
    if what == "held":
        return sorted(cloud.held)
    if what == "errors":
        return list(cloud.machines.errors)
    return None


def _do(cloud: FakeScaleway, what: str, values: dict[str, Any]) -> None:
    if what == "set":
        cloud.set(**values)
    elif what == "heal":
        cloud.heal()
    elif what == "pass-time":
        cloud.pass_time(float(values["seconds"]))
    elif what == "power-off-guest":
        cloud.power_off_guest(values["server"])
    else:
        raise KeyError(what)
