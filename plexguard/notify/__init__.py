"""plexguard-notify: tell people what the suite has told the journal."""
