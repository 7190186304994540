"""The root side of the audit: paths come in through a socket, and are audited one by one. `plexguard-perms-audit answer`."""
