"""What is known of Plex's two databases: where they lie, how they are opened, what is in them, how they are copied."""
