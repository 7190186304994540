"""An archive in place of the databases of a Plex that runs: it is stopped for it, and all is put back unless it is well after."""
