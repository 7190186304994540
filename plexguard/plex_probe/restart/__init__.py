"""The root side of the probe: restarts Plex, if it finds for itself that this is right. `plexguard-plex-probe restart`."""
