"""plexguard-cloud-run: a machine that is rented for hours: what it would cost, what is there, and nothing left behind."""
