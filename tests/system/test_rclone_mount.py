"""A mount by rclone in a booted machine: who sees it, what it takes to end it, and what it takes to begin anew."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import Machine
from tests.system.conftest import events, install_again
from tests.system.mounting import CONFIGURATION, FILMS, MOUNT_UNIT, POINT, Stand, with_storage
from tests.system.native_plex import add_library

pytestmark = [pytest.mark.machine, pytest.mark.xdist_group("rclone-mount")]
NEWEST = '[rclone-watchdog]\nrclone = "/opt/storage/rclone"\n'


@pytest.fixture(scope="module")
def shared(deb: Path) -> Iterator[Stand]:
    with Machine(with_storage(deb)) as machine:
        # Mounts are started by hand here, so that nobody else acts on them.
        machine.systemctl("mask", "plexguard-rclone-watchdog@media.service")
        yield Stand(machine)


@pytest.fixture(params=["debian", "newest"])
def stand(shared: Stand, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A storage that is well, mounted by Debian's rclone, or by the newest."""
    write(shared, "" if request.param == "debian" else NEWEST)
    shared.machine.systemctl("start", MOUNT_UNIT)
    yield shared
    shared.mend()
    reset(shared)


@pytest.fixture
def bare(shared: Stand) -> Iterator[Stand]:
    """The same with nothing mounted."""
    write(shared)
    yield shared
    shared.mend()
    reset(shared)


def write(stand: Stand, text: str = "") -> None:
    stand.machine.write("/etc/plexguard/plexguard.toml.d/50-test.toml", CONFIGURATION + text)
    stand.machine.systemctl("daemon-reload")


def reset(stand: Stand) -> None:
    stand.machine.systemctl("stop", MOUNT_UNIT)
    stand.machine.systemctl("reset-failed", MOUNT_UNIT, check=False)


def sh(stand: Stand, script: str) -> str:
    return stand.machine.run(["sh", "-c", script], check=False).stdout.strip()


def mounted(stand: Stand) -> list[str]:
    """Return the type and source of all that is mounted there."""
    return sh(stand, f"findmnt -rn -o FSTYPE,SOURCE --mountpoint {POINT}").splitlines()


def can_read(stand: Stand, user: str = "plex") -> bool:
    return sh(stand, f"runuser -u {user} -- sh -c 'cat {FILMS}/*/*.mkv | head -c 4096 | wc -c'") == "4096"


def stop(stand: Stand) -> float:
    """Stop it and return how many seconds the manager took."""
    stand.machine.systemctl("stop", MOUNT_UNIT)
    unit = sh(stand, f"systemctl show -P ActiveExitTimestampMonotonic -P InactiveEnterTimestampMonotonic {MOUNT_UNIT}").split()
    return (int(unit[1]) - int(unit[0])) / 1e6


def start_in_vain(stand: Stand) -> str:
    """Start it, and return what plexguard said of why not. It must not be tried again."""
    cursor = stand.machine.cursor()
    assert stand.machine.run(["systemctl", "start", MOUNT_UNIT], check=False).returncode != 0
    stand.machine.wait_for(lambda: stand.machine.unit(MOUNT_UNIT)["ActiveState"] == "failed", timeout_s=10, what="it has failed")
    assert stand.machine.unit(MOUNT_UNIT)["NRestarts"] == "0"
    assert mounted(stand) == []
    told = events(stand.machine, "program.failed", since_cursor=cursor)
    assert len(told) == 1, told
    assert stand.machine.unit(MOUNT_UNIT)["ExecMainStatus"] == "78"
    return told[0]["MESSAGE"]


def test_everybody_reads_what_it_shows_as_plexs_own(stand):
    assert mounted(stand) == ["fuse.rclone stand:media"]
    assert all(can_read(stand, user) for user in ("plex", "nobody", "root"))
    assert sh(stand, f"stat -c %U:%G:%a {FILMS}") == "plex:plex:755"
    assert sh(stand, f"touch {FILMS}/new; echo $?") == "1"


def test_nothing_secret_is_seen_of_it(stand):
    address = json.loads(stand.machine.run(["cat", "/run/plexguard-rclone/media/rc.json"]).stdout)
    secret = sh(stand, "sed -n 's/^secret_access_key = //p' /etc/plexguard/credentials/rclone.conf")
    assert secret and address["pid"] == stand.rclone_pid

    seen = sh(stand, f"tr '\\0' ' ' < /proc/{stand.rclone_pid}/cmdline; tr '\\0' ' ' < /proc/{stand.rclone_pid}/environ")
    journal = stand.machine.journal_text("-o", "export", "-u", "plexguard*")
    for value in (secret, address["password"]):
        assert value not in seen and value not in journal
    assert sh(stand, "find /run/plexguard-rclone/media -type f -printf '%m %u\\n' | sort -u") == "600 plexguard-media"
    assert sh(stand, "stat -c '%a %U' /run/plexguard-rclone/media") == "700 plexguard-media"


def test_rclone_answers_who_has_the_password_and_nobody_else(stand):
    ask = (
        "import json,sys; from pathlib import Path; from plexguard.rclone_watchdog.asking.rc import *; "
        "a = AddressFile(Path('/run/plexguard-rclone/media/rc.json')).read(); print(a.url)"
    )
    url = sh(stand, f'runuser -u plexguard-media -- python3 -c "{ask}"')
    where = f"--unix-socket {url.removeprefix('unix://')} http://rclone" if url.startswith("unix:") else url
    password = json.loads(stand.machine.run(["cat", "/run/plexguard-rclone/media/rc.json"]).stdout)["password"]

    code = "curl -s -o /dev/null -w '%{http_code}' -X POST"
    assert sh(stand, f"{code} -u watchdog:{password} {where}/rc/noop") == "200"
    assert sh(stand, f"{code} -u watchdog:wrong {where}/rc/noop") == "401"
    assert sh(stand, f"{code} {where}/rc/noop") == "401"


def test_rclones_lines_are_in_the_journal_as_grave_as_they_are(stand):
    # What lies in the cache would be read without a word.
    reset(stand)
    sh(stand, "rm -rf /var/cache/plexguard/rclone/media/*")
    cursor = stand.machine.cursor()
    stand.machine.systemctl("start", MOUNT_UNIT)
    stand.faults.set("data", "answer", status=403)
    stand.machine.run(["sh", "-c", f"cat {FILMS}/*/*.mkv"], check=False)

    # Newer ones speak with the journal themselves, and give no name.
    lines = stand.machine.journal(since_cursor=cursor, matches=[f"_SYSTEMD_UNIT={MOUNT_UNIT}"])
    seen = {(line["MESSAGE"].partition(" ")[0], line["PRIORITY"]) for line in lines}
    assert {("ERROR", "3"), ("INFO", "6")} <= seen
    assert not {(word, level) for word, level in seen if {"ERROR": "3", "NOTICE": "5", "INFO": "6"}.get(word, level) != level}


def test_stop_ends_it_at_once_and_is_final(stand):
    assert stop(stand) < 5
    assert mounted(stand) == []
    assert stand.machine.unit(MOUNT_UNIT)["ActiveState"] == "inactive"
    assert stand.machine.unit(MOUNT_UNIT)["Result"] == "success"
    # Nobody finds an empty folder where the mount was.
    assert not can_read(stand) and sh(stand, f"runuser -u plex -- ls {POINT}; echo $?") == "2"


@pytest.mark.parametrize("fault", ["busy", "hung", "frozen", "hung, frozen and its reader killed"])
def test_stop_takes_less_than_5_s_whatever_it_does(stand, fault):
    if "hung" in fault:
        stand.freeze()
    script = f"while true; do cat {FILMS}/*/*.mkv > /dev/null || exit; done"
    stand.machine.run(["systemd-run", "-q", "--collect", "--unit=reader", "sh", "-c", script])
    stand.machine.wait_for(
        lambda: stand.stuck() if "hung" in fault else stand.machine.unit("reader.service")["ActiveState"] == "active",
        timeout_s=20,
        what="somebody reads",
    )
    if "frozen" in fault:
        stand.signal_rclone("STOP")
    if "killed" in fault:
        stand.machine.systemctl("kill", "-s", "KILL", "reader.service")

    assert stop(stand) < 5

    assert mounted(stand) == []
    stand.machine.wait_for(lambda: not stand.stuck(), timeout_s=5, what="nobody waits any more")
    stand.machine.systemctl("stop", "reader.service", check=False)


@pytest.mark.parametrize("fault", ["killed", "frozen and killed", "unmounted by somebody"])
def test_it_is_back_within_seconds(stand, fault):
    before = stand.rclone_pid
    if "frozen" in fault:
        stand.signal_rclone("STOP")
    if "killed" in fault:
        stand.signal_rclone("KILL")
    else:
        stand.machine.run(["umount", POINT])

    stand.machine.wait_for(lambda: stand.rclone_pid not in (0, before) and can_read(stand), timeout_s=15, what="it is back")
    assert mounted(stand) == ["fuse.rclone stand:media"]


def test_whatever_is_mounted_there_makes_way(bare):
    sh(
        bare,
        f"mkdir -p {POINT} /srv/x; mount -t tmpfs other {POINT}; mount -t tmpfs plexguard-cover {POINT}; mount -t tmpfs deep {POINT}",
    )
    cursor = bare.machine.cursor()

    bare.machine.systemctl("start", MOUNT_UNIT)

    assert mounted(bare) == ["fuse.rclone stand:media"] and can_read(bare)
    assert [event["PLEXGUARD_SOURCE"] for event in events(bare.machine, "mount.cleared", since_cursor=cursor)] == ["deep", "other"]


@pytest.mark.parametrize("which", ["", NEWEST], ids=["debian", "newest"])
def test_strays_in_the_bare_folder_are_told_once_and_are_in_nobodys_way(bare, which):
    write(bare, which)
    bare.machine.systemctl("start", MOUNT_UNIT)
    reset(bare)
    sh(bare, f"touch {POINT}/stray")
    cursor = bare.machine.cursor()
    try:
        for _ in range(2):
            bare.machine.systemctl("start", MOUNT_UNIT)
            assert can_read(bare)
            reset(bare)
        told = events(bare.machine, "mount.strays", since_cursor=cursor)
        assert [event["PLEXGUARD_SAMPLE"] for event in told] == [f"{POINT}/stray"]
    finally:
        sh(bare, f"rm {POINT}/stray")


def test_folder_with_files_of_others_is_left_alone(bare):
    sh(bare, f"umount -l {POINT}; rmdir {POINT}; mkdir -p {POINT}; chmod 755 {POINT}; touch {POINT}/mine")
    try:
        assert "it holds files that belong to no mount" in start_in_vain(bare)
        assert sh(bare, f"stat -c '%a %U' {POINT}; ls {POINT}") == "755 root\nmine"
    finally:
        sh(bare, f"rm -r {POINT}")


def test_link_leads_nobody_into_a_folder_of_the_system(bare):
    sh(bare, f"rmdir {POINT}; mkdir -m 755 /etc/elsewhere; ln -s /etc/elsewhere {POINT}")
    try:
        assert "symbolic link" in start_in_vain(bare)
        assert sh(bare, "stat -c '%a %U' /etc/elsewhere") == "755 root"
    finally:
        sh(bare, f"rm {POINT}; rmdir /etc/elsewhere")


@pytest.mark.parametrize(
    ("spoil", "mend", "told"),
    [
        ("sed -i 's/^user_allow_other/#&/' /etc/fuse.conf", "sed -i 's/^#user_allow_other/user_allow_other/' /etc/fuse.conf", "echo user_allow_other >> /etc/fuse.conf"),
        ("mv /etc/plexguard/credentials/rclone.conf /root", "mv /root/rclone.conf /etc/plexguard/credentials", "/etc/plexguard/credentials/rclone.conf"),
        ("sed -i s/stand/other/ /etc/plexguard/credentials/rclone.conf", "sed -i s/other/stand/ /etc/plexguard/credentials/rclone.conf", "does not know the remote stand"),
        ("mv /usr/bin/rclone /usr/bin/no-rclone", "mv /usr/bin/no-rclone /usr/bin/rclone", "apt-get install rclone"),
    ],
    ids=["user_allow_other", "credential", "remote", "rclone"],
)  # fmt: skip
def test_what_is_missing_is_told_in_one_line_and_not_tried_again(bare, spoil, mend, told):
    sh(bare, spoil)
    try:
        assert told in start_in_vain(bare)
    finally:
        sh(bare, mend)
    bare.machine.systemctl("start", MOUNT_UNIT)
    assert can_read(bare)


def test_flag_that_rclone_does_not_know_is_told_in_its_words(bare):
    write(bare, 'extra_flags = ["--no-such-flag"]\n')
    assert "unknown flag: --no-such-flag" in start_in_vain(bare)


def test_configuration_of_its_own_serves_a_mount(bare):
    folder = "/etc/plexguard/credentials"
    sh(bare, f"mv {folder}/rclone.conf {folder}/rclone.media.conf")
    try:
        bare.machine.systemctl("start", MOUNT_UNIT)
        assert can_read(bare)
    finally:
        sh(bare, f"mv {folder}/rclone.media.conf {folder}/rclone.conf")


def test_settings_without_effect_are_told(bare):
    cursor = bare.machine.cursor()
    write(bare, 'extra_flags = ["--retries=10", "--poll-interval=1m"]\nchunk_streams = 4\n')

    bare.machine.systemctl("start", MOUNT_UNIT)

    told = {event["PLEXGUARD_SETTING"] for event in events(bare.machine, "mount.setting-idle", since_cursor=cursor)}
    assert told == {"--retries", "--poll-interval", "chunk_streams"}


def test_old_place_is_left_when_another_is_configured_meanwhile(stand):
    write(stand, "")
    stand.machine.write("/etc/plexguard/plexguard.toml.d/60-moved.toml", '[rclone.media]\nmount_point = "/mnt/moved"\n')
    try:
        stand.signal_rclone("STOP")
        stand.machine.systemctl("restart", MOUNT_UNIT)
        assert mounted(stand) == []
        assert sh(stand, "findmnt -rn -o SOURCE --mountpoint /mnt/moved") == "stand:media"
    finally:
        stand.machine.systemctl("stop", MOUNT_UNIT)
        stand.machine.run(["rm", "/etc/plexguard/plexguard.toml.d/60-moved.toml"])


def test_rclone_that_crashes_again_and_again_is_given_up(stand):
    def is_given_up() -> bool:
        stand.machine.run(["systemctl", "kill", "-s", "KILL", "--kill-whom=main", MOUNT_UNIT], check=False)
        return stand.machine.unit(MOUNT_UNIT)["ActiveState"] == "failed"

    stand.machine.wait_for(is_given_up, timeout_s=120, what="it is given up")
    assert mounted(stand) == []


def test_who_proves_a_mount_may_start_it_and_nothing_else(shared):
    reset(shared)
    write(shared)

    def ask(*words: str) -> int:
        command = ["runuser", "-u", "plexguard-media", "--", "systemctl", "--no-ask-password", *words]
        return shared.machine.run(command, check=False).returncode

    assert ask("start", MOUNT_UNIT) == 0 and can_read(shared)
    for words in (
        ("stop", MOUNT_UNIT),
        ("restart", MOUNT_UNIT),
        ("start", "plexguard-plex-restart.service"),
        ("start", "ssh.service"),
    ):
        assert ask(*words) != 0, words
    reset(shared)


def test_bare_folder_is_open_where_plex_loses_nothing_by_it_and_shut_elsewhere(bare):
    bare.machine.systemctl("start", MOUNT_UNIT)
    bare.add_libraries()
    had = bare.items()
    sh(bare, f"ln -s {FILMS} /srv/linked")
    add_library(bare.machine, "Linked", "/srv/linked")
    assert leave(bare) == "755 plexguard-media"
    assert json.loads(bare.machine.read("/run/plexguard/plex.json"))["links"] == {"/srv/linked": FILMS}

    # when: nobody holds Plex, and it empties its trash after each scan
    bare.scan()
    bare.await_scans()
    assert bare.items() == had

    bare.machine.systemctl("start", MOUNT_UNIT)
    add_library(bare.machine, "All", POINT)
    assert leave(bare) == "700 plexguard-media"


def leave(stand: Stand) -> str:
    """Have it known what libraries there are, stop the mount, and return mode and owner of its folder."""
    stand.machine.systemctl("start", "plexguard-discover.service")
    stand.machine.systemctl("stop", MOUNT_UNIT)
    return sh(stand, f"stat -c '%a %U' {POINT}")


def test_mount_goes_on_through_an_upgrade_and_is_unmounted_when_the_package_is_purged(deb: Path):
    with Machine(with_storage(deb)) as machine:
        stand = Stand(machine)
        machine.systemctl("mask", "plexguard-rclone-watchdog@media.service")
        write(stand)
        machine.systemctl("start", MOUNT_UNIT)
        assert can_read(stand)
        before = stand.rclone_pid
        reader = f"exec 3< $(ls {FILMS}/*/*.mkv | head -1); while sleep 0.2; do head -c 1 <&3 > /dev/null || exit 1; done"
        machine.run(["systemd-run", "-q", "--unit=player", "sh", "-c", reader])

        install_again(machine, deb)

        assert stand.rclone_pid == before and can_read(stand)
        assert machine.unit("player.service")["ActiveState"] == "active"

        machine.run(["apt-get", "-y", "purge", "plexguard"], timeout_s=120)

        assert mounted(stand) == []
        assert not can_read(stand)
        assert sh(stand, "ls -d /var/cache/plexguard /run/plexguard-rclone /var/lib/plexguard /etc/plexguard; pgrep -c rclone") in (
            "",
            "0",
        )
