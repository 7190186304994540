"""What the units of a mount on a run's machine say."""

import json

import pytest

from plexguard.cloud_run.storage.judge import NotMounted, UnitThere, explain, is_proven, read_units

SHOWN = """\
Id=plexguard-rclone@media.service
ActiveState=active
Result=success
StatusText=

Id=plexguard-rclone-watchdog@media.service
ActiveState=activating
Result=success
StatusText=refusing: the storage answers 403 = no
"""


def unit(active: str, result: str = "success") -> UnitThere:
    return UnitThere(name="x.service", active=active, result=result)


def test_units_are_read_from_what_systemctl_shows():
    found = read_units(SHOWN)

    assert found["plexguard-rclone@media.service"].active == "active"
    assert found["plexguard-rclone-watchdog@media.service"].text == "refusing: the storage answers 403 = no"
    assert read_units("") == {}


@pytest.mark.parametrize(
    ("mount", "watchdog", "proven"),
    [
        (unit("active"), unit("active"), True),
        (unit("active"), unit("activating"), False),
        (unit("activating"), unit("active"), False),
        (unit("inactive"), unit("inactive"), False),
        (None, unit("active"), False),
        (unit("active"), None, False),
    ],
)
def test_mount_is_proven_when_its_watchdog_has_started(mount, watchdog, proven):
    assert is_proven(mount, watchdog) is proven


@pytest.mark.parametrize("units", [(unit("failed", "exit-code"), unit("activating")), (unit("active"), unit("failed", "timeout"))])
def test_unit_that_has_failed_for_good_is_not_waited_for(units):
    with pytest.raises(NotMounted, match=r"x.service failed there"):
        is_proven(*units)


def line(message, priority="3", **more):
    return json.dumps({"MESSAGE": message, "PRIORITY": priority, **more})


def test_why_it_is_not_mounted_is_said_in_the_words_of_who_knows():
    ours = {"PLEXGUARD_EVENT": "mount.stale"}
    journal = "\n".join(
        [
            line("first", **ours),
            line("twice", **ours),
            line("twice", **ours),
            line("403 Forbidden ", SYSLOG_IDENTIFIER="rclone"),
            line("a unit started", "6", **ours),
            line("systemd says", SYSLOG_IDENTIFIER="systemd"),
            line([1, 2], **ours),
            "torn {",
            "[]",
            line("newest", "4", **ours),
        ]
    )

    assert explain(journal) == "twice; 403 Forbidden; newest"
    assert explain("") == ""
