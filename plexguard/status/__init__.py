"""plexguard-status: check the configuration of the suite and make it known to the running system."""
