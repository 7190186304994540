"""plexguard-perms-audit: find and repair media that Plex cannot read."""
