"""plexguard-log-watch: turn what Plex and a reverse proxy log into targeted audits; it has no right to repair anything."""
