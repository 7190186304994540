"""Hooks of download programs on a running machine: what was imported is audited, by users with exactly that right."""

import pytest

from tests.machine import Machine
from tests.system.conftest import configure, events

pytestmark = pytest.mark.machine

EXAMPLES = "/usr/share/doc/plexguard/examples"
RULES = "60-plexguard-hooks.rules"
TV = "/srv/tv"
SHOW = f"{TV}/Show (2001)"
OTHER = "/srv/other"


@pytest.fixture
def host(machine: Machine) -> Machine:
    """A machine with one configured root of sonarr's, the hooks in place, and sonarr's right to start audits."""
    for user in ("sonarr", "radarr", "mallory"):
        machine.run(["useradd", "--system", user])
    machine.run(["mkdir", "-p", TV, OTHER])
    machine.run(["chown", "sonarr:", TV, OTHER])
    configure(machine, f'[perms-audit]\nroots = ["{TV}"]\n')
    for name in ("sonarr-hook", "radarr-hook", "qbittorrent-hook"):
        machine.run(["install", "-m", "755", f"{EXAMPLES}/{name}", f"/usr/local/bin/plexguard-{name}"])
    machine.run(["install", "-m", "644", f"{EXAMPLES}/{RULES}", f"/etc/polkit-1/rules.d/{RULES}"])
    # So that only what a hook started can be what repaired.
    machine.systemctl("stop", "plexguard.target")
    return machine


def run_as(machine: Machine, user: str, *argv: str, **env: str) -> tuple[int, str]:
    """Run a command as a service of that user, and return its code and what it printed."""
    settings = [f"--setenv={name}={value}" for name, value in env.items()]
    done = machine.run(["systemd-run", "--quiet", "--wait", "--pipe", "--uid", user, *settings, *argv], check=False)
    return done.returncode, done.stdout + done.stderr


def import_file(machine: Machine, folder: str, name: str = "film.mkv") -> str:
    """Put a file that Plex cannot read into a folder, as sonarr."""
    machine.run(["mkdir", "-p", "--", folder], user="sonarr")
    machine.run(["sh", "-c", 'umask 077; echo film > "$0/$1"; chmod 000 -- "$0/$1"', folder, name], user="sonarr")
    return f"{folder}/{name}"


def mode_of(machine: Machine, path: str) -> str:
    return machine.run(["stat", "-c", "%a", "--", path]).stdout.strip()


def await_repair(machine: Machine, path: str) -> None:
    machine.wait_for(lambda: mode_of(machine, path) == "644", timeout_s=15, what=f"repair of {path!r}")


def units_of_audits(machine: Machine) -> set[str]:
    found = machine.journal(matches=["SYSLOG_IDENTIFIER=plexguard-perms-audit"])
    return {entry["_SYSTEMD_UNIT"] for entry in found if "@" in entry["_SYSTEMD_UNIT"]}


def test_what_sonarr_radarr_and_qbittorrent_brought_is_repaired_at_once(host: Machine) -> None:
    machine = host
    episode = import_file(machine, f"{SHOW}/Season 1")
    code, said = run_as(
        machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Download", sonarr_series_path=SHOW
    )
    assert (code, said) == (0, "")
    await_repair(machine, episode)
    assert events(machine, "perms.repaired")[-1]["PLEXGUARD_PATH"] == episode
    assert units_of_audits(machine) == {r"plexguard-perms-audit@srv-tv-Show\x20\x282001\x29.service"}

    film = import_file(machine, f"{TV}/Film")
    code, said = run_as(
        machine, "radarr", "/usr/local/bin/plexguard-radarr-hook", radarr_eventtype="Download", radarr_movie_path=f"{TV}/Film"
    )
    assert (code, said) == (0, "")
    await_repair(machine, film)

    torrent = import_file(machine, f"{TV}/Torrent", "single file.mkv")
    assert run_as(machine, "sonarr", "/usr/local/bin/plexguard-qbittorrent-hook", torrent) == (0, "")
    await_repair(machine, torrent)


def import_season(machine: Machine, episodes: int, *, pause_s: float) -> None:
    """Import one file after the other, with sonarr's hook called for each."""
    script = """
        mkdir -p "$0"
        for number in $(seq "$1"); do
            sleep "$2"
            echo film > "$0/$number.mkv"
            chmod 000 "$0/$number.mkv"
            sonarr_eventtype=Download sonarr_series_path="$0" /usr/local/bin/plexguard-sonarr-hook || exit
        done"""
    assert run_as(machine, "sonarr", "sh", "-c", script, SHOW, str(episodes), str(pause_s)) == (0, "")
    for number in range(1, episodes + 1):
        await_repair(machine, f"{SHOW}/{number}.mkv")


def test_no_start_is_refused_as_one_too_many(host: Machine) -> None:
    import_season(host, 12, pause_s=0)


def test_what_comes_when_a_run_is_past_it_is_audited_by_another_run(host: Machine) -> None:
    """A start alone would only join the run that is under way, here one that has looked and takes its time to end."""
    machine = host
    slow = "[Service]\nExecStartPost=/bin/sleep 1\n"
    machine.write("/run/systemd/system/plexguard-perms-audit@.service.d/50-test.conf", slow)
    machine.systemctl("daemon-reload")

    import_season(machine, 3, pause_s=0.5)


@pytest.mark.parametrize(
    "name", ["new\nline", "-rf", "100% $HOME \\ 'a' \"b\"", "é" * 20], ids=["new line", "dash", "signs", "letters of two bytes"]
)
def test_names_reach_the_audit_as_they_are(host: Machine, name: str) -> None:
    machine = host
    file = import_file(machine, f"{TV}/{name}")

    code, said = run_as(machine, "sonarr", "/usr/libexec/plexguard/start-audit", f"{TV}/{name}")

    assert (code, said) == (0, "")
    await_repair(machine, file)


def test_a_path_too_long_for_a_unit_is_repaired_all_the_same(host: Machine) -> None:
    machine = host
    deep = f"{TV}/Доктор Кто/{'é' * 60}/Сезон 1"
    file = import_file(machine, deep)

    code, said = run_as(
        machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Download", sonarr_series_path=deep
    )

    assert (code, said) == (0, "")
    await_repair(machine, file)
    folder = machine.run(["systemd-escape", "--path", f"{TV}/Доктор Кто"]).stdout.strip()
    assert units_of_audits(machine) == {f"plexguard-perms-audit@{folder}.service"}


def test_the_right_is_one_users_to_start_one_template(host: Machine) -> None:
    machine = host
    import_file(machine, SHOW)
    unit = r"plexguard-perms-audit@srv-tv-Show\x20\x282001\x29.service"
    refused = [
        ("mallory", ("start", unit)),
        ("sonarr", ("stop", unit)),
        ("sonarr", ("restart", unit)),
        ("sonarr", ("start", "plexguard-perms-audit-full.service")),
        ("sonarr", ("start", "plexguard-plex-restart.service")),
        ("sonarr", ("start", "systemd-timesyncd.service")),
        ("sonarr", ("stop", "plexguard.target")),
    ]

    codes = {(user, argv): run_as(machine, user, "systemctl", "--no-ask-password", *argv)[0] for user, argv in refused}

    assert [attempt for attempt, code in codes.items() if code == 0] == []
    assert mode_of(machine, f"{SHOW}/film.mkv") == "0"
    assert run_as(machine, "sonarr", "systemctl", "start", unit)[0] == 0
    assert mode_of(machine, f"{SHOW}/film.mkv") == "644"


def test_without_the_rule_nothing_is_started_and_the_import_is_well(host: Machine) -> None:
    machine = host
    machine.run(["rm", f"/etc/polkit-1/rules.d/{RULES}"])
    machine.systemctl("restart", "polkit.service")
    file = import_file(machine, SHOW)

    code, said = run_as(
        machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Download", sonarr_series_path=SHOW
    )

    assert code == 0
    assert RULES in said
    assert (units_of_audits(machine), mode_of(machine, file)) == (set(), "0")


def test_sonarrs_test_button_is_well_with_and_without_plexguard(host: Machine) -> None:
    machine = host
    with_it = run_as(machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Test")
    machine.run(["apt-get", "remove", "-y", "plexguard"])
    without = run_as(machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Test")
    download = run_as(machine, "sonarr", "/usr/local/bin/plexguard-sonarr-hook", sonarr_eventtype="Download", sonarr_series_path=TV)

    assert (with_it, without[0], download[0]) == ((0, ""), 0, 0)
    assert "not installed" in without[1]


def test_the_umask_drop_in_makes_files_that_plex_can_read(host: Machine) -> None:
    machine = host
    toy = "[Service]\nType=oneshot\nUser=sonarr\nUMask=0077\nExecStart=/bin/sh -c 'mkdir /srv/tv/new; echo film > /srv/tv/new/film.mkv'\n"
    machine.write("/etc/systemd/system/sonarr.service", toy)
    # As the file itself says.
    commands = [line.removeprefix("#").strip() for line in machine.read(f"{EXAMPLES}/sonarr.service.d/50-umask.conf").splitlines()]
    for command in (line for line in commands if line.startswith(("install ", "systemctl daemon-reload"))):
        machine.run(["sh", "-ec", command.partition(";")[0]])

    machine.systemctl("start", "sonarr.service")

    assert machine.run(["stat", "-c", "%a", f"{TV}/new", f"{TV}/new/film.mkv"]).stdout.split() == ["755", "644"]


def test_a_folder_outside_of_the_roots_is_refused(host: Machine) -> None:
    machine = host
    file = import_file(machine, OTHER)

    code, _ = run_as(machine, "sonarr", "/usr/local/bin/plexguard-qbittorrent-hook", OTHER)

    assert code == 0
    machine.wait_for(
        lambda: any("JOB_RESULT" in entry for entry in machine.journal("plexguard-perms-audit@srv-other.service")),
        timeout_s=15,
        what="end of the audit",
    )
    assert mode_of(machine, file) == "0"
