"""What each command does, a module for each: `run` is given what was parsed, and returns the exit code."""
