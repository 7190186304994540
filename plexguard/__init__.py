"""plexguard keeps a Plex Media Server on Linux playing: small programs, each with one job, joined by systemd."""

__version__ = "1.0.0"
