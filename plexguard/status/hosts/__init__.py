"""plexguard-status --journal DIR: how several machines are, from the journals that they have sent to one place."""
