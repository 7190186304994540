"""plexguard-plex-probe: is Plex well, and if not, why, and what may be done."""
