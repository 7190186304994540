"""What plexguard-container-watch can tell the journal."""

from plexguard.core.events import Event, Kept, Priority

_PAGE = "plexguard-container-watch(8)"

CHANGED = Event(
    name="container.changed",
    message_id="9ec8ae59271c4653929f6f6313ad2c83",
    priority=Priority.INFO,
    message="Container {container} is {status}{how}",
    subject="Plex's container is {status}",
    page=_PAGE,
    fields={"container": str, "status": str, "how": str},
    about=("container",),
    meaning="""
        The state of Plex's container changed: {container} is {status}{how}. The other programs read it to know whether a Plex
        that does not answer was stopped on purpose.
        """,
    decided="""
        Docker told of an event, or was asked as it is every half minute, and its answer differs from the one before. An end
        counts as meant when Docker had signalled the container first (docker stop, docker kill, Compose); without such a
        signal, when the exit code is 0. Where the end itself was not heard, 137 and 143 count as meant too, unless memory ran
        out.
        """,
    did="""
        The state was published in /run/plexguard/container.json, and plexguard-discover was started to read it. Nothing was
        done to the container.
        """,
    action="""
        A container that ends again and again says why itself:
          docker ps -a
          docker logs --tail 50 {container}
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
    kept=Kept.BOOT,
    meaning="""
        More than one container could be Plex's, and none is watched: {containers}. A Plex in one of them is not restarted
        when it hangs.
        """,
    decided="""
        No container has the name that is looked for, and each of these was made from an image that Plex is run from. Which of
        them is meant is not guessed. While a new container takes the place of one that was followed, both may be there for 5
        minutes before this is told.
        """,
    did="""
        Published that there is no container of Plex, with these names. It is told once, and again when the names are others.
        Docker is asked on, and when one container is left, or one has the name, it is taken and told (container.settled).
        """,
    action="""
        Name yours as container in [plex]:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
        Or remove those that are not needed any more:
          docker ps -a
        """,
)

SETTLED = Event(
    name="container.settled",
    message_id="d337d7aa3ad643b3b38d874027f17f6a",
    priority=Priority.NOTICE,
    message="It is clear again which container is Plex's: {container}{how}",
    subject="It is clear again which container is Plex's",
    page=_PAGE,
    fields={"container": str, "how": str},
    ends=("container.ambiguous",),
    meaning="""
        Of several containers that could be Plex's, one is certain now, or none is left: {container}{how}.
        """,
    decided="""
        One has the name that is looked for, or no more than one of a Plex image is there.
        """,
    did="""
        Its state is published and watched again, and plexguard-discover was started to read it.
        """,
    action="""
        To have it certain for good, name yours as container in [plex]:
          editor /etc/plexguard/plexguard.toml
          plexguard-status apply
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
    kept=Kept.RUN,
    meaning="""
        The Docker engine cannot be asked: {reason}. So the state of container {container} is not known.
        """,
    decided="""
        Either docker.service is stopped, or a question to it (docker events, docker inspect) failed or had no answer within
        15 s. One failure is enough.
        """,
    did="""
        What was published last is left to grow old, by which the other programs know that the state is unknown: while it is,
        Plex is not restarted. Docker is asked again every 10 s. An engine that an administrator has stopped is not asked,
        which would start it.
        """,
    action="""
        See whether the engine runs, and why not:
          systemctl status docker
          journalctl -u docker -n 50
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
        The Docker engine can be asked again, after {downtime_s} s.
        """,
    decided="""
        It answered the question for the container.
        """,
    did="""
        The state of the container is published again, and plexguard-discover reads it. How a container ended meanwhile is
        judged by its exit code alone, since Docker's events of that time were missed.
        """,
    action="""
        The engine's own journal says why it goes away:
          journalctl -u docker --since -1d
        """,
)
