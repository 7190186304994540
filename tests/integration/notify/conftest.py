"""Senders against servers that misbehave."""

import pytest

from tests.fakes.airtable import Airtable
from tests.fakes.receiver import Receiver, running, says


@pytest.fixture
def receiver():
    with running(Receiver(says(204))) as server:
        yield server


@pytest.fixture
def airtable():
    with running(Airtable(fields=("Name", "Time", "Message", "Id"))) as server:
        yield server
