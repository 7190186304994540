"""What plexguard-container-watch can tell the journal."""

from plexguard.core.events import Event, Priority

_PAGE = "plexguard-container-watch(8)"

CHANGED = Event(
    name="container.changed",
    message_id="9ec8ae59271c4653929f6f6313ad2c83",
    priority=Priority.INFO,
    message="Container {container} is {status}{how}",
    subject="Plex's container is {status}",
    page=_PAGE,
    fields={"container": str, "status": str, "how": str},
    meaning="""
        Docker told that the state of Plex's container changed to {status}. The probe reads this to know whether a Plex that
        does not answer was stopped on purpose.
        """,
    action="""
        Nothing. What Docker itself says:
          docker ps -a
        """,
)

AMBIGUOUS = Event(
    name="container.ambiguous",
    message_id="92f4dc0b71974c6f9de526674d42782f",
    priority=Priority.WARNING,
    message="Several containers could be Plex's, so none is watched: {containers}",
    subject="Several containers could be Plex's",
    page=_PAGE,
    fields={"containers": str},
    meaning="""
        No container has the name that is looked for, and more than one was made from an image of Plex: {containers}. Which of
        them to watch and to restart is not guessed. While one takes another's place, both may be there for 5 minutes.
        """,
    action="""
        Name yours as container in [plex]:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        Or remove those that are not needed any more:
          docker ps -a
        """,
)

DOCKER_LOST = Event(
    name="container.docker-lost",
    message_id="27be38e0e76d424aa028b1f506d78093",
    priority=Priority.WARNING,
    message="Docker cannot be asked, so the state of container {container} is not known: {reason}",
    subject="Docker cannot be asked",
    page=_PAGE,
    fields={"container": str, "reason": str},
    meaning="""
        The Docker engine did not answer: {reason}. Until it does, the container's state is unknown and Plex is not restarted.
        """,
    action="""
        See whether the engine runs:
          systemctl status docker
        """,
)

DOCKER_FOUND = Event(
    name="container.docker-found",
    message_id="89870ff207244221adc93afb1ca457ba",
    priority=Priority.NOTICE,
    message="Docker answers again after {downtime_s:.0f} s",
    subject="Docker answers again",
    page=_PAGE,
    fields={"downtime_s": float},
    ends=("container.docker-lost",),
    meaning="""
        The Docker engine could not be asked for {downtime_s} s, and can be again.
        """,
    action="""
        Nothing.
        """,
)
