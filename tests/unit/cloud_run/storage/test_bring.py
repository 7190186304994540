"""The mount on a run's machine: brought, proven, taken away."""

from collections.abc import Sequence

import pytest

from plexguard.cloud_run.storage.bring import bring, prove, take_away
from plexguard.cloud_run.storage.choose import render_config
from plexguard.cloud_run.storage.judge import NotMounted
from plexguard.cloud_run.storage.parcel import CONFIG, MADE, PROGRAM, SECRETS, SUITE
from plexguard.core.errors import NoPermission, SystemRefused
from plexguard.core.host import CommandFailed, Completed
from tests.fakes.ports import FakeClock, FakeHost
from tests.unit.cloud_run.storage.test_parcel import MEDIA

SECRET = "very-secret-key"
STORAGES = f"[s3]\ntype = s3\nsecret_access_key = {SECRET}\n"


def said(text: str = "", code: int = 0) -> Completed:
    return Completed(code=code, stdout=text, stderr="")


class Machine(FakeHost):
    """A machine that takes small files."""

    def __init__(self) -> None:
        super().__init__(
            {
                "id -u": said("0\n"),
                "ls -d": said(code=2),
                "stat --file-system": said("tmpfs\n"),
                **dict.fromkeys(("install", "rm", "tar", "systemd-sysusers", "systemd-tmpfiles", "systemctl"), said()),
                "date": said("1700000000\n"),
                "journalctl": said(),
                "env --chdir=/ setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs -- find": said("/Media/Film.mkv\n"),
                "env --chdir=/ setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs -- dd": said(),
                "systemctl show": shown("active", "active"),
            }
        )
        self.files: dict[str, bytes] = {}

    def put(self, content: bytes, path: str) -> None:
        self.files[path] = content

    def ran_with(self, *words: str) -> list[list[str]]:
        return [argv for argv in self.ran if argv[: len(words)] == list(words)]


def shown(mount: str, watchdog: str, text: str = "") -> Completed:
    return said(
        f"Id=plexguard-rclone@media.service\nActiveState={mount}\nResult=exit-code\n\n"
        f"Id=plexguard-rclone-watchdog@media.service\nActiveState={watchdog}\nResult=success\nStatusText={text}\n"
    )


def bring_to(machine: Machine) -> None:
    bring(machine, MEDIA, storages=STORAGES, files=b"tar")


def test_secret_goes_into_memory_and_into_no_command():
    machine = Machine()

    bring_to(machine)

    assert machine.files[f"{SECRETS}/rclone.conf"] == STORAGES.encode()
    assert not [argv for argv in machine.ran if SECRET in " ".join(argv)]
    order = [argv[0] for argv in machine.ran]
    assert order.index("stat") < order.index("tar") < order.index("systemd-sysusers") < order.index("systemctl")


def test_secret_goes_to_no_machine_that_would_have_it_on_a_disk():
    machine = Machine()
    machine.answers["stat --file-system"] = said("ext2/ext3\n")

    with pytest.raises(SystemRefused, match="on a disk"):
        bring_to(machine)

    assert machine.files == {}


def test_machine_that_is_not_roots_is_refused():
    machine = Machine()
    machine.answers["id -u"] = said("1000\n")

    with pytest.raises(NoPermission):
        bring_to(machine)


def test_what_an_administrator_has_installed_is_not_overwritten():
    machine = Machine()
    machine.answers["ls -d"] = said(f"{PROGRAM}\n{CONFIG}\n", 2)

    with pytest.raises(SystemRefused, match="installed there"):
        bring_to(machine)

    assert not machine.ran_with("tar")


def test_what_an_attempt_before_has_brought_is_replaced():
    machine = Machine()
    machine.answers["ls -d"] = said(f"{SUITE}\n{PROGRAM}\n{CONFIG}\n")

    bring_to(machine)

    assert machine.ran_with("tar")


def test_mount_is_proven_when_plexs_user_has_read_a_file_after_the_watchdog():
    machine, clock, told = Machine(), FakeClock(), []
    looks = [shown("activating", "activating"), shown("active", "activating", "asking"), shown("active", "active")]
    machine.answers["systemctl show"] = lambda argv: looks.pop(0)

    assert prove(machine, MEDIA, clock=clock, tell=told.append, limit_s=600.0) == "/Media/Film.mkv"

    assert looks == [] and told[-1].endswith("asking")
    assert machine.ran_with("env")[-1][-5:] == ["if=/Media/Film.mkv", "of=/dev/null", "bs=64K", "count=1", "status=none"]


def test_storage_that_stays_away_is_told_with_the_words_of_its_watchdog_when_time_is_over():
    machine, clock = Machine(), FakeClock()
    machine.answers["systemctl show"] = shown("active", "activating", "refusing: 403")
    machine.answers["journalctl"] = said('{"PLEXGUARD_EVENT": "x", "PRIORITY": "3", "MESSAGE": "Mount media refuses"}')
    began_s = clock.uptime_s

    with pytest.raises(NotMounted, match=r"s3:media: is not proven: refusing: 403: Mount media refuses"):
        prove(machine, MEDIA, clock=clock, tell=lambda line: None, limit_s=60.0)

    assert 60.0 <= clock.uptime_s - began_s <= 65.0


def test_mount_that_cannot_be_made_is_not_waited_for():
    machine, clock = Machine(), FakeClock()
    machine.answers["systemctl show"] = shown("failed", "activating")

    with pytest.raises(NotMounted, match=r"plexguard-rclone@media.service failed there \(exit-code\)"):
        prove(machine, MEDIA, clock=clock, tell=lambda line: None, limit_s=600.0)

    assert clock.slept == []


@pytest.mark.parametrize(("found", "words"), [(said(""), "finds no file"), (CommandFailed("find: exit code 1"), "cannot read")])
def test_mount_that_plexs_user_cannot_read_is_none(found, words):
    machine = Machine()
    machine.answers["env --chdir=/ setpriv --reuid=1000 --regid=1000 --clear-groups --no-new-privs -- find"] = found

    with pytest.raises(NotMounted, match=words):
        prove(machine, MEDIA, clock=FakeClock(), tell=lambda line: None, limit_s=600.0)


class Mounted(Machine):
    """A machine on which something was brought. findmnt: how it ends."""

    def __init__(self, *, findmnt: int = 1) -> None:
        super().__init__()
        self.answers |= {
            "test -e": said(),
            "cat": said(render_config(MEDIA)),
            "findmnt --mountpoint /Media": said(code=findmnt),
            "find /usr/local": said("/usr/local/lib/systemd/system/plexguard-rclone@media.service.d\n"),
        }


def verbs(machine: Machine) -> list[Sequence[str]]:
    return [argv for argv in machine.ran if argv[0] in ("rm", "systemctl")]


def test_secret_goes_before_anything_that_may_hang_and_the_watchdog_before_the_mount():
    machine = Mounted()

    take_away(machine, stays=False)

    assert verbs(machine) == [
        ["rm", "-rf", "--", SECRETS],
        ["systemctl", "stop", "plexguard-rclone-watchdog@*.service"],
        ["systemctl", "stop", "plexguard-rclone-inside@*.service"],
        ["systemctl", "stop", "plexguard-rclone@*.service"],
    ]


def test_machine_that_stays_is_left_as_it_was():
    machine = Mounted()

    take_away(machine, stays=True)

    removed = machine.ran_with("rm")[-1]
    assert set(MADE) <= set(removed) and "/usr/local/lib/systemd/system/plexguard-rclone@media.service.d" in removed


@pytest.mark.parametrize("code", [0, 2], ids=["mounted", "cannot tell"])
def test_mount_that_may_still_be_there_is_told(code):
    with pytest.raises(SystemRefused, match="/Media: is still mounted"):
        take_away(Mounted(findmnt=code), stays=False)


def test_nothing_is_stopped_where_nothing_was_brought():
    machine = Machine()
    machine.answers["test -e"] = said(code=1)

    take_away(machine, stays=True)

    assert verbs(machine) == [["rm", "-rf", "--", SECRETS]]
