"""plexguard-db-export: snapshots of Plex's database while it lives, checked, kept, and brought back."""
