"""The chain of a run: its phases in the order in which each needs the one before, and the units that they are. Pure."""

PHASES = ("preflight", "instance", "mount", "database", "plex", "scan", "analyze", "export")
# What they hold is released when they end, by ExecStopPost= of their units. The first, which ends last, holds nothing.
HOLDING_PHASES = ("preflight", "instance", "mount", "plex")
# Something comes first in these, and then somebody may be asked: `prepare`, by ExecStartPre= of their units.
PREPARED_PHASES = ("plex",)
# These work on the run's machine.
WORKING_PHASES = ("database", "plex", "scan", "analyze", "export")
# Of these the work is the machine's own, which is followed.
FOLLOWING_PHASES = ("scan", "analyze", "export")
# What these have done stays done: a run that is taken up again passes them by.
LASTING_PHASES = ("database", "scan", "analyze", "export")


def phase_unit(phase: str, run: str) -> str:
    return f"plexguard-cloud-{phase}@{run}.service"


def apply_unit(run: str) -> str:
    return phase_unit("apply", run)


def run_unit(run: str) -> str:
    return phase_unit("run", run)


def holding_units(run: str) -> tuple[str, ...]:
    """Return the units of which any holds what the run has rented. The run's own is active only when all its phases are done."""
    return (*(phase_unit(phase, run) for phase in (*PHASES, "hold")), run_unit(run))
