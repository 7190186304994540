"""plexguard-status check-config: what is wrong with the configuration, and with what it needs around it."""
