"""Plex on the run's machine: its container, its account, its data and what they hold."""
