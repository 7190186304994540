"""plexguard-db-export: Plex's databases copied while they live, checked, repaired, restored, and their paths rewritten."""
