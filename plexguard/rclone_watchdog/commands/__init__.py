"""The commands of plexguard-rclone-watchdog, each with what it does."""
