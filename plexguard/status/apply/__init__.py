"""plexguard-status apply: make a changed configuration hold."""
