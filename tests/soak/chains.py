"""The chain of a run is cut off in each of its phases, in each way."""

from collections.abc import Iterator
from dataclasses import dataclass

from plexguard.cloud_run.chain import PHASES
from tests.system import cloud_chain
from tests.system.conftest import DEB

# What is proven of which phases. A first phase that does not come to its own process has begun nothing.
_PROVEN = {
    "failed": (cloud_chain.prove_failure, PHASES[1:]),
    "stopped": (cloud_chain.prove_stop, PHASES),
    "shut down": (cloud_chain.prove_reboot, PHASES[1:]),
    "without power": (cloud_chain.prove_power_cut, PHASES[1:]),
}


@dataclass(frozen=True)
class Chains:
    """In which way a run was cut off, in which phases: each time all was released, or taken up again and brought to its end."""

    way: str
    phases: tuple[str, ...]


def cut_everywhere() -> Iterator[Chains]:
    """Cut runs off in every phase. Raises AssertionError and MachineError where that did not end as it should."""
    with cloud_chain.boot(DEB.resolve()) as machine:
        cloud_chain.prepare(machine)
        for way, (prove, phases) in _PROVEN.items():
            for phase in phases:
                prove(machine, phase)
            yield Chains(way=way, phases=phases)


def describe(chains: Chains) -> Iterator[str]:
    yield f"\nA run was {chains.way} in each of {len(chains.phases)} phases: {', '.join(chains.phases)}; it ended as it should each time."
