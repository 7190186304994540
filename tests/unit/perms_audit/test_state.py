"""What is remembered from run to run, and where it lies."""

from plexguard.core.mounts import MountPoint
from plexguard.perms_audit.state import State, remember


def test_what_is_remembered_of_a_root_outlives_runs_in_which_it_was_not_well() -> None:
    past = State(mounts={"/srv/media": "/srv/media", "/srv/more": "/"})

    assert remember(past, ["/srv/more"], (MountPoint(path="/", type="ext4"),), None) == past
