"""Lines as Plex and reverse proxies write them, from public logs, and the words around them."""

HEAD = "Aug 04, 2026 06:58:17.248 [132687933201208]"


def line(level: str, message: str) -> bytes:
    """Return a line of a log file."""
    return f"{HEAD} {level} - {message}".encode("utf-8", "surrogateescape")


def denied(path: str) -> bytes:
    """Return the line of a file that could not be opened for a player."""
    return line("ERROR", f"Error opening file '\"{path}\"' - Permission denied (13)")


def request(url: str, number: str) -> bytes:
    return line("DEBUG", f"Request: [192.168.1.111:55824 (Subnet)] GET {url} (3 live) #{number} GZIP Signed-in Token (owner)")


def completed(status: int, url: str, number: str = "1d4") -> bytes:
    return line("DEBUG", f"Completed: [192.168.1.111:55824] {status} GET {url} (3 live) #{number} 2ms 190 bytes (pipelined: 3)")
