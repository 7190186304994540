"""Keeps Plex from losing items while a mount is not proven: its settings are held, and its scans of the mount cancelled."""
