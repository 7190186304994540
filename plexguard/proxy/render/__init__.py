"""HAProxy's configuration, made from plexguard's. Pure: options in, texts by file name out.

Two processes are configured. The front door answers callers and guards Plex. The pictures stand between it and Plex for pictures
alone and keep them; they are a process of their own because HAProxy forgets its cache when it reads its configuration anew, and
the front door does so whenever the administrator changes something.
"""
