"""Machines that are there anyway."""

import pytest

from plexguard.cloud_run.config import Config
from plexguard.cloud_run.providers.local import Local
from plexguard.cloud_run.providers.open import NotConfigured, open_provider
from plexguard.cloud_run.providers.ssh import Ssh
from plexguard.cloud_run.providers.unrented import read_size
from plexguard.core.errors import MissingInput, PeerError
from plexguard.core.host import Completed
from tests.fakes.ports import FakeClock, FakeHost
from tests.unit.cloud_run.samples import LABEL, server

MEMINFO = "MemTotal:        8048948 kB\nMemFree:          123456 kB\n"


def said(text: str) -> Completed:
    return Completed(code=0, stdout=text, stderr="")


def test_this_machine_is_as_large_as_it_says_and_costs_nothing():
    host = FakeHost({"nproc": said("4\n"), "cat /proc/meminfo": said(MEMINFO)})
    provider = Local(FakeClock(), host)

    (offer,) = provider.find_offers("localhost").values()

    assert (offer.cpus, offer.ram_bytes, offer.hourly_euros) == (4, 8048948 << 10, 0.0)
    assert provider.price(offer, is_local_disk=True).machine == 0.0


@pytest.mark.parametrize(("nproc", "meminfo"), [("", MEMINFO), ("4", ""), ("4", "MemTotal: many kB"), ("4", "MemTotal: 3 MB")])
def test_size_that_makes_no_sense_is_refused(nproc, meminfo):
    with pytest.raises(PeerError):
        read_size("nas", said(nproc), said(meminfo))


def test_nothing_is_rented_and_nothing_is_given_back():
    provider = Ssh(Config(provider="ssh", ssh="root@nas"), FakeClock())

    assert provider.list("root@nas").resources == ()
    provider.destroy([server()], LABEL, note=pytest.fail)
    assert not provider.is_rented


def test_provider_that_nobody_named_is_told(monkeypatch, tmp_path):
    with pytest.raises(NotConfigured) as caught:
        open_provider(Config(), clock=FakeClock(), host=FakeHost())
    assert caught.value.exit_code == 78

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    config = Config(provider="scaleway", project="11111111-2222-3333-4444-555555555555")
    with pytest.raises(MissingInput, match=r"scaleway\.secret-key"):
        open_provider(config, clock=FakeClock(), host=FakeHost())
