"""Put databases in place of Plex's: all files as one, what was there kept, and only when Plex is proven to be stopped."""
