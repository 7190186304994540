"""What people do of an evening, in one file, for inside of a machine: some of them at once, each asks for one address after the other.

people.py TOKEN URL...
"""

import sys
import threading
import time
import urllib.request

_PEOPLE, _PAUSE_S, _PATIENCE_S = 4, 0.3, 20


def use(token: str, urls: list[str]) -> None:
    headers = {"X-Plex-Token": token, "Accept": "application/json"}
    while True:
        for url in urls:
            try:
                with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_PATIENCE_S) as answer:
                    while answer.read(1 << 16):
                        pass
            except OSError:
                # They try again, as people do.
                pass
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    for _ in range(_PEOPLE):
        threading.Thread(target=use, args=(sys.argv[1], sys.argv[2:]), daemon=True).start()
    threading.Event().wait()
