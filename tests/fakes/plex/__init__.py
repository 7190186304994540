"""A simulator of Plex Media Server for tests and the demo: PlexSimulator in a process, server.py as a program."""

from .simulator import PlexSimulator

__all__ = ["PlexSimulator"]
