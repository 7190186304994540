"""What a mount is found to be, from what was answered. Pure."""
