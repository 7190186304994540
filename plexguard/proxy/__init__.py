"""plexguard-proxy: a guarded front door to Plex, with HAProxy as its data plane."""
