from tests.machine.errors import CommandFailed, DeadlineMissed, MachineError
from tests.machine.layer import Layer, installed
from tests.machine.machine import Machine, can_run
from tests.machine.tree import BASE, DOCKER, READY, Tree

__all__ = [
    "BASE",
    "DOCKER",
    "READY",
    "CommandFailed",
    "DeadlineMissed",
    "Layer",
    "Machine",
    "MachineError",
    "Tree",
    "can_run",
    "installed",
]
