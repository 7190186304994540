"""What a run has brought home, applied to Plex: by plexguard-db-export, on this machine or carried to another."""
