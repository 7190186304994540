"""plexguard-rclone-watchdog: mounts that are proven alive, and a Plex that is safe while they are not."""
