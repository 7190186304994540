"""plexguard-container-watch: publish the state of Plex's container; the only program that talks to Docker and stays."""
