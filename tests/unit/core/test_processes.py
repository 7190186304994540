"""A process as it is shown."""

from plexguard.core.processes import Process


def test_process_is_shown_with_its_state() -> None:
    assert str(Process(pid=7, name="Plex Media Serv", state="disk-sleep", uid=997)) == "Plex Media Serv (pid 7, disk-sleep)"
