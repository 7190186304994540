"""plexguard-discover: find out which Plex this machine runs, and publish what the unprivileged programs need."""
