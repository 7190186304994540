"""The whole check of one of Plex's databases by the SQLite that Debian has: what is damaged, what is odd, what to do."""
