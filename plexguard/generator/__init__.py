"""The systemd generator: plexguard.toml becomes drop-ins, for what only a unit can hold (systemd.generator(7))."""
