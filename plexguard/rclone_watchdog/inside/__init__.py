"""The root side that looks through Plex's container: whether it sees the mount that lives. `plexguard-rclone-watchdog inside`."""
