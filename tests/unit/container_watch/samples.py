"""`docker container inspect` as Docker 28 prints it, shortened to what matters and to what might mislead."""

from typing import Any

ID = "3f1c9e0b6f4e"

STATE = {
    "Status": "running",
    "Running": True,
    "Paused": False,
    "Restarting": False,
    "OOMKilled": False,
    "Dead": False,
    "Pid": 4242,
    "ExitCode": 0,
    "Error": "",
    "StartedAt": "2026-03-01T09:30:00.123456789Z",
    "FinishedAt": "0001-01-01T00:00:00Z",
    "Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": []},
}


def named(name: str, *, image: str = "plexinc/pms-docker", id: str = ID, **state: object) -> dict[str, Any]:
    """Return the answer for a container with another name, image or id."""
    found = plex(**state)
    return found | {"Id": id, "Name": f"/{name}", "Config": found["Config"] | {"Image": image}}


def plex(**state: object) -> dict[str, Any]:
    """Return the answer for a container of the official image; state: what differs in State."""
    return {
        "Id": ID,
        "Created": "2026-02-01T00:00:00.5Z",
        "Path": "/init",
        "State": STATE | {"Running": state.get("Status", "running") in ("running", "paused", "restarting")} | state,
        "Image": "sha256:0123456789abcdef",
        "Name": "/plex",
        "RestartCount": 2,
        "HostConfig": {"Binds": ["/srv/plex/config:/config"], "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}},
        "Mounts": [
            {
                "Type": "bind",
                "Source": "/srv/plex/config",
                "Destination": "/config",
                "Mode": "",
                "RW": True,
                "Propagation": "rprivate",
            },
            {
                "Type": "bind",
                "Source": "/mnt/tank/tv",
                "Destination": "/data/tv",
                "Mode": "ro",
                "RW": False,
                "Propagation": "rslave",
            },
            {
                "Type": "volume",
                "Name": "transcode",
                "Source": "/var/lib/docker/volumes/transcode/_data",
                "Destination": "/transcode",
                "Driver": "local",
                "RW": True,
            },
            {"Type": "tmpfs", "Source": "", "Destination": "/tmp", "Mode": "", "RW": True},
        ],
        "Config": {
            "Hostname": "3f1c9e0b6f4e",
            "User": "",
            "Env": [
                "PLEX_UID=1000",
                "PLEX_GID=1001",
                "PLEX_CLAIM=claim-SECRETSECRET",
                "TZ=Europe/Berlin",
                "EMPTY",
                "PATH=/usr/bin",
            ],
            "Image": "plexinc/pms-docker:1.43.4",
        },
    }
