"""The fixture of this folder keeps its promise: a unit test cannot reach outside."""

import os
import socket
import subprocess
from collections.abc import Callable

import pytest

from tests.unit.conftest import OutsideReached


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("127.0.0.1", 1)),
        lambda: socket.socket().connect(("127.0.0.1", 1)),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", "/nowhere"),
        lambda: subprocess.run(["true"], check=False),
        lambda: os.system("true"),
        lambda: os.fork(),  # looked up when it is called
    ],
    ids=["create_connection", "connect", "sendto", "subprocess", "system", "fork"],
)
def test_unit_test_cannot_reach_outside(reach: Callable[[], object]) -> None:
    with pytest.raises(OutsideReached):
        reach()
