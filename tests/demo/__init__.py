"""The demonstration: plexguard on a throw-away machine, as an operator meets it (`make demo`)."""
