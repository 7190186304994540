"""Empties Plex's trash, in Plex's place, and only where all that is missing is proven to be gone."""
