"""The storage of a run: which of home's mounts it is, what goes to the run's machine for it, and the proof of it there."""
