"""The handles of a fake that runs as a program, maybe in a machine: the same as those of FakeScaleway, over HTTP."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import asdict
from typing import Any

from .bill import Charge, Leftover
from .faults import Mishap
from .messages import Recorded


class Remote:
    """url: where the fake listens."""

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        self.url = url
        self._timeout_s = timeout_s

    def set(self, **changes: Any) -> None:
        """Change faults. Raises urllib.error.HTTPError for what is no fault."""
        if "mishaps" in changes:
            changes["mishaps"] = [asdict(row) if isinstance(row, Mishap) else row for row in changes["mishaps"]]
        self._ask("set", changes)

    def heal(self) -> None:
        self._ask("heal", {})

    def pass_time(self, seconds: float) -> None:
        self._ask("pass-time", {"seconds": seconds})

    def power_off_guest(self, server: str) -> None:
        self._ask("power-off-guest", {"server": server})

    def left(self) -> list[Leftover]:
        return [Leftover(**{**row, "tags": tuple(row["tags"])}) for row in self._ask("left")]

    def meter(self) -> list[Charge]:
        return [Charge(**row) for row in self._ask("meter")]

    def spent_eur(self) -> float:
        return sum(charge.eur for charge in self.meter())

    @property
    def requests(self) -> list[Recorded]:
        return [Recorded.from_values(row) for row in self._ask("requests")]

    @property
    def held(self) -> set[int]:
        return set(self._ask("held"))

    @property
    def errors(self) -> list[str]:
        """What hooks failed with."""
        return list(self._ask("errors"))

    def _ask(self, what: str, values: dict[str, Any] | None = None) -> Any:
        body = None if values is None else json.dumps(values).encode()
        request = urllib.request.Request(f"{self.url}/fake/{what}", data=body, method="GET" if body is None else "POST")
        # Whatever proxy the machine is told of, this is not beyond it.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=self._timeout_s) as answer:
            return json.loads(answer.read())
