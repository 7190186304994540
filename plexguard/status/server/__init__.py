"""plexguard-status, its HTTP side: answers, events as they come, an index of those that were, and metrics. It changes nothing."""
