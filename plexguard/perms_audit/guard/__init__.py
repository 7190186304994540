"""The live guard: watches whole file systems and has what comes into the roots checked. `plexguard-perms-audit guard`."""
