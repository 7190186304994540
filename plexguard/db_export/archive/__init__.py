"""Archives of Plex's data: how they are made, read, verified and kept. What is restored from them, and how, is not known here."""
