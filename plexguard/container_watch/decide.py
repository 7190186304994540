"""What an event of Docker means for the question whether the container was stopped on purpose. Pure."""


def remember_stop(action: str, stop_seen: bool) -> bool:
    """Return whether a stop on purpose is known, after an event.

    `docker stop`, `docker kill`, compose and the like signal the container first ("kill"), then it dies. A crash has only
    "die". A start makes all of it history.
    """
    if action in ("kill", "stop"):
        return True
    if action in ("start", "restart", "unpause", "create"):
        return False
    return stop_seen
