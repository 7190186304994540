"""The test machines keep what they promise: they boot, run, reboot, and leave nothing however their owner ends."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import (
    BASE,
    DOCKER,
    READY,
    CommandFailed,
    DeadlineMissed,
    Layer,
    Machine,
    MachineError,
    Tree,
    can_run,
    installed,
)
from tests.machine.inside import entries_from_json, properties_from_show
from tests.machine.keeper import start_time
from tests.machine.layer import remove_stale
from tests.machine.tree import cache_folder, debian_sources
from tests.waiting import await_true

REASON = can_run()
if REASON and os.environ.get("CI") == "true":
    pytest.fail(REASON, pytrace=False)
if REASON:
    pytest.skip(f"NO TEST MACHINES: {REASON}", allow_module_level=True)

pytestmark = pytest.mark.machine

PROJECT = Path(__file__).parents[3]
OWNER = """
    import sys, time
    from tests.machine import READY, Machine
    with Machine(READY, name="orphan") as machine:
        machine.run(["systemd-run", "--unit=busy", "sleep", "1000"])
        machine.spawn(["sleep", "1000"])
        print(machine.pid, flush=True)
        time.sleep(1000)
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with Machine(READY) as machine:
        yield machine


@pytest.fixture
def own_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of our own with the trees of the shared one: tests of layers don't push out anybody else's."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "trees").symlink_to(cache_folder() / "trees")
    monkeypatch.setenv("PLEXGUARD_TESTBED", str(cache))
    return cache / "layers"


# Running


def test_machine_boots_without_failed_units(machine: Machine) -> None:
    assert machine.systemctl("is-system-running").strip() == "running"
    assert machine.failed_units() == []


def test_trixie_boots_too() -> None:
    with Machine(READY.on("trixie")) as machine:
        assert "VERSION_CODENAME=trixie" in machine.read("/etc/os-release")


def test_run_gives_outputs_and_takes_input(machine: Machine) -> None:
    done = machine.run(["sh", "-c", "cat; echo $WORD >&2"], input="grüße", env={"WORD": "hello"})

    assert (done.stdout, done.stderr, done.returncode) == ("grüße", "hello\n", 0)


def test_run_as_user_has_only_the_rights_of_that_user(machine: Machine) -> None:
    assert machine.run(["id", "-un"], user="daemon").stdout == "daemon\n"
    assert machine.run(["cat", "/etc/shadow"], user="daemon", check=False).returncode != 0


def test_failed_command_tells_code_and_both_outputs(machine: Machine) -> None:
    with pytest.raises(CommandFailed, match=r"(?s)exit code 3.*spoken.*complained") as failure:
        machine.run(["sh", "-c", "echo spoken; echo complained >&2; exit 3"])

    assert failure.value.done.returncode == 3


def test_command_past_its_deadline_is_killed_with_its_children(machine: Machine) -> None:
    with pytest.raises(DeadlineMissed, match=r"(?s)no end within 0\.5 s.*begun"):
        machine.run(["sh", "-c", "echo begun; sleep 4321 & sleep 4321"], timeout_s=0.5)

    machine.wait_for(lambda: "4321" not in _command_lines(machine), timeout_s=5, what="end of the children")


def _command_lines(machine: Machine) -> str:
    return machine.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'"], check=False).stdout


def test_spawned_command_gets_signals(machine: Machine) -> None:
    process = machine.spawn(["sh", "-c", "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.1; done"])
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.terminate()

    assert process.communicate(timeout=10)[0] == "bye\n"
    assert process.returncode == 7


def test_files_arrive_with_their_modes(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/tool").write_text("#!/bin/sh\n")
    (tmp_path / "deep/tool").chmod(0o750)

    machine.push(tmp_path, "/opt/pushed")
    machine.push(tmp_path / "deep/tool", "/opt/single/tool")
    machine.write("/etc/secret/key", "öffnen", mode=0o600)

    for path in ("/opt/pushed/deep/tool", "/opt/single/tool"):
        assert machine.run(["stat", "-c", "%a %U:%G", path]).stdout == "750 root:root\n"
    assert machine.run(["stat", "-c", "%a", "/etc/secret/key", "/etc/secret"]).stdout == "600\n755\n"
    assert machine.read("/etc/secret/key") == "öffnen"


def test_manual_pages_can_be_read(machine: Machine) -> None:
    assert "service manager" in machine.run(["man", "1", "systemctl"], env={"MANPAGER": "cat"}).stdout


# The journal and units


def test_journal_is_filtered_by_unit_cursor_and_match(machine: Machine) -> None:
    before = machine.cursor()
    machine.run(["systemd-run", "--wait", "--unit=speaker", "sh", "-c", "echo first; echo '<3>second' >&2"])

    entries = machine.journal("speaker", since_cursor=before, matches=["_TRANSPORT=stdout"])

    assert [(entry["MESSAGE"], entry["PRIORITY"]) for entry in entries] == [("first", "6"), ("second", "3")]
    assert machine.journal("speaker", since_cursor=machine.cursor()) == []


def test_unit_tells_its_properties(machine: Machine) -> None:
    assert machine.unit("dbus.service")["ActiveState"] == "active"
    assert machine.unit("no-such.service")["LoadState"] == "not-found"


def test_missed_deadline_tells_what_and_shows_the_journal(machine: Machine) -> None:
    machine.run(["logger", "the last thing that happened"])

    with pytest.raises(DeadlineMissed, match=r"(?s)pigs to fly: not within 0\.3 s.*the last thing that happened"):
        machine.wait_for(lambda: False, timeout_s=0.3, what="pigs to fly")


def test_journal_values_become_text() -> None:
    line = json.dumps({"A": "x", "B": [104, 105, 255], "C": ["one", "two"], "D": None})

    assert entries_from_json(line + "\n") == [{"A": "x", "B": "hi\ufffd", "C": "one\ntwo", "D": ""}]


def test_property_given_twice_keeps_both_values() -> None:
    assert properties_from_show("Id=a\nEnv=X=1\nExecStart=b\nExecStart=c\n") == {
        "Id": "a",
        "Env": "X=1",
        "ExecStart": "b\nc",
    }


# Boots


def test_reboot_keeps_disk_and_volumes_and_poweroff_keeps_the_journal() -> None:
    with Machine(READY) as machine:
        machine.write("/etc/kept", "disk")
        machine.write("/srv/kept", "volume")
        machine.run(["logger", "before"])
        boot_id, machine_id = machine.read("/proc/sys/kernel/random/boot_id"), machine.read("/etc/machine-id")
        boots = _boots(machine)

        machine.reboot()

        assert machine.systemctl("is-system-running").strip() == "running"
        assert (machine.read("/etc/kept"), machine.read("/srv/kept")) == ("disk", "volume")
        assert machine.read("/etc/machine-id") == machine_id
        assert boot_id and len(_boots(machine)) == len(boots) + 1

        machine.poweroff()

        assert machine.pid == 0
        assert any(entry["MESSAGE"] == "before" for entry in machine.journal())
        with pytest.raises(MachineError, match="is off"):
            machine.run(["true"])


def _boots(machine: Machine) -> set[str]:
    return {entry["_BOOT_ID"] for entry in machine.journal()}


def test_machine_says_at_each_boot_that_it_has_been_up_for_so_long() -> None:
    script = "import time; print(int(time.clock_gettime(time.CLOCK_BOOTTIME)))"
    with Machine(READY, uptime_s=1200) as machine:
        for boot in range(2):
            if boot:
                machine.reboot()
            for runner in (["systemd-run", "--wait", "--pipe", "-q"], []):
                assert 1200 <= int(machine.run([*runner, "python3", "-c", script]).stdout) < 1300
            assert machine.read("/proc/uptime").startswith("12")


def test_power_cut_ends_everything_at_once_and_the_disk_stays() -> None:
    with Machine(READY) as machine:
        machine.write("/etc/kept", "disk")
        machine.run(["systemd-run", "--unit=stubborn", "-p", "TimeoutStopSec=90", "sh", "-c", "trap '' TERM; sleep 99"])
        started = time.monotonic()

        machine.cut_power()
        machine.boot()

        assert time.monotonic() - started < 15
        assert machine.read("/etc/kept") == "disk"
        assert machine.unit("stubborn.service")["LoadState"] == "not-found"


@pytest.mark.usefixtures("own_layers")
def test_degraded_machine_is_refused_with_the_failed_unit() -> None:
    broken = "[Service]\nExecStart=/bin/false\n[Install]\nWantedBy=multi-user.target\n"

    def break_it(machine: Machine) -> None:
        machine.write("/etc/systemd/system/broken.service", broken)
        machine.systemctl("enable", "broken.service")

    layer = Layer(READY, key="broken", prepare=break_it)

    with pytest.raises(MachineError, match=r"failed units: broken\.service"), Machine(layer):
        pass
    with Machine(layer, allow_degraded=True) as machine:
        assert machine.failed_units() == ["broken.service"]


def test_two_machines_have_the_same_port_and_different_ids() -> None:
    with Machine(READY, name="left") as left, Machine(READY, name="right") as right:
        for machine in (left, right):
            machine.write("/srv/web/name", machine.name)
            machine.run(["systemd-run", "--unit=web", "python3", "-m", "http.server", "-d", "/srv/web", "32400"])
        for machine in (left, right):
            answer = machine.run(
                ["curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "localhost:32400/name"]
            )
            assert answer.stdout == machine.name == machine.run(["hostname"]).stdout.strip()
        assert left.read("/etc/machine-id") != right.read("/etc/machine-id")


def test_machines_can_be_started_by_threads_that_end() -> None:
    machines = [Machine(BASE, name=f"thread{number}") for number in range(3)]
    threads = [threading.Thread(target=machine.__enter__) for machine in machines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    try:
        for machine in machines:
            assert machine.run(["hostname"]).stdout.strip() == machine.name
    finally:
        for machine in machines:
            machine.__exit__(None, None, None)


def test_shared_network_has_the_outer_interfaces() -> None:
    outer = {path.name for path in Path("/sys/class/net").iterdir()}
    with Machine(BASE, network="shared") as machine:
        assert set(machine.run(["ls", "/sys/class/net"]).stdout.split()) == outer


# What units may do


def test_units_are_sandboxed_and_watched_as_on_a_real_machine(machine: Machine) -> None:
    options = (
        "DynamicUser=yes",
        "StateDirectory=probe",
        "ProtectSystem=strict",
        "PrivateDevices=yes",
        "PrivateUsers=yes",
    )
    properties = [f"--property={option}" for option in (*options, "SystemCallFilter=@system-service", "PrivateTmp=yes")]
    script = "touch $STATE_DIRECTORY/a && ! touch /etc/b && ! ls /dev/fuse && echo fine"

    done = machine.run(["systemd-run", "--wait", "--pipe", "-q", *properties, "sh", "-c", script])

    assert done.stdout == "fine\n"


def test_unit_watches_a_whole_volume_with_fanotify(machine: Machine) -> None:
    script = textwrap.dedent(
        """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        report_dfid_name, nonblock, filesystem, add, create, on_directory = 0xC00, 2, 0x100, 1, 0x100, 0x40000000
        group = libc.fanotify_init(report_dfid_name | nonblock, os.O_RDONLY)
        mask = ctypes.c_uint64(create | on_directory)
        assert libc.fanotify_mark(group, add | filesystem, mask, -100, b"/srv") == 0, os.strerror(ctypes.get_errno())
        os.makedirs("/srv/a/b/c")
        print(b"a" in os.read(group, 4096))
        """
    )
    machine.write("/opt/watch.py", script)

    assert machine.run(["systemd-run", "--wait", "--pipe", "-q", "python3", "/opt/watch.py"]).stdout == "True\n"


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_every_user_may_mount_with_fuse_and_sees_what_waits_there(suite: str) -> None:
    with Machine(READY.on(suite)) as machine:
        assert machine.run(["sh", "-c", "exec 3<>/dev/fuse"], user="daemon").returncode == 0
        machine.run(["install", "-d", "-o", "daemon", "/tmp/from", "/tmp/to"])
        machine.run(["rclone", "mount", "--daemon", "/tmp/from", "/tmp/to"], user="daemon")

        device = machine.run(["findmnt", "-n", "-o", "MAJ:MIN", "/tmp/to"]).stdout.strip()
        connection = f"/sys/fs/fuse/connections/{device.partition(':')[2]}"

        assert machine.run(["cat", f"{connection}/waiting"], user="daemon").stdout == "0\n"
        machine.run(["sh", "-c", f"echo 1 > {connection}/abort"], user="daemon")
        machine.wait_for(
            lambda: (
                "not connected" in machine.run(["ls", "/tmp/to"], check=False).stderr
                or not machine.run(["findmnt", "/tmp/to"], check=False).stdout
            ),
            timeout_s=10,
            what="the mount is dead",
        )


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_docker_runs_an_imported_image(suite: str) -> None:
    with Machine(DOCKER.on(suite)) as machine:
        machine.run(["sh", "-c", _IMAGE], timeout_s=120)

        done = machine.run(["docker", "run", "--rm", "--network", "host", "tiny:latest", "/bin/echo", "hello"])

        assert done.stdout == "hello\n"
        assert machine.run(["docker", "info", "-f", "{{.Driver}}"]).stdout == "overlay2\n"


_IMAGE = """
set -e
mkdir -p /srv/image && cd /srv/image
for file in /bin/echo $(ldd /bin/echo | grep -o '/[^ ]*'); do
    mkdir -p ".$(dirname "$file")"
    cp -L "$file" ".$file"
done
tar -c . | docker import - tiny:latest
"""


# Layers and trees


@pytest.mark.usefixtures("own_layers")
def test_layer_is_prepared_once_and_its_machines_start_fresh() -> None:
    prepared: list[str] = []

    def prepare(machine: Machine) -> None:
        prepared.append(machine.name)
        machine.write("/etc/prepared", "yes")
        machine.run(["rm", "-r", "/usr/share/zoneinfo/Europe"])

    layer = Layer(READY, key="below", prepare=prepare)
    upper = Layer(layer, key="above", prepare=lambda machine: machine.write("/etc/above", "too"))
    ids = set()
    for _ in range(2):
        with Machine(layer) as machine:
            ids.add(machine.read("/etc/machine-id"))
            assert machine.read("/etc/prepared") == "yes"
            assert machine.run(["ls", "/usr/share/zoneinfo/Europe"], check=False).returncode != 0
            assert len(_boots(machine)) == 1
    with Machine(upper) as machine:
        assert machine.read("/etc/prepared") + machine.read("/etc/above") == "yestoo"

    assert len(prepared) == 1
    assert len(ids) == 2


def test_layer_that_fails_to_prepare_leaves_nothing(own_layers: Path) -> None:
    layer = Layer(BASE, key="failing", prepare=lambda machine: machine.run(["false"]))

    with pytest.raises(CommandFailed):
        layer.path()

    assert [path.suffix for path in own_layers.iterdir()] == [".lock"]


def test_layer_wanted_by_two_processes_is_prepared_once(own_layers: Path, tmp_path: Path) -> None:
    program = f"""
        from tests.machine import BASE, Layer, Machine
        def prepare(machine):
            open({str(tmp_path / "prepared")!r}, "a").write("x")
        with Machine(Layer(BASE, key="wanted", prepare=prepare)):
            pass
    """
    argv = [sys.executable, "-c", textwrap.dedent(program)]
    processes = [subprocess.Popen(argv, cwd=PROJECT) for _ in range(3)]

    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert (tmp_path / "prepared").read_text() == "x"
    assert len([path for path in own_layers.iterdir() if path.is_dir()]) == 1


def test_only_the_newest_layers_are_kept_and_never_one_in_use(own_layers: Path) -> None:
    def layer(number: int) -> Layer:
        return Layer(BASE, key=str(number), prepare=lambda machine: machine.write("/etc/number", str(number)))

    with Machine(layer(0)) as machine:
        layer(1).path()
        for old in (layer(0), layer(1)):
            os.utime(old.path(), (0, 0))
        for number in range(2, 14):
            (own_layers / f"newer{number}").mkdir()

        remove_stale()

        assert layer(0).path().is_dir()
        assert not (own_layers / layer(1).full_key).exists()
        assert len([path for path in own_layers.iterdir() if path.is_dir()]) == 13
        assert machine.read("/etc/number") == "0"


@pytest.mark.usefixtures("own_layers")
def test_package_file_is_installed_without_a_network(tmp_path: Path) -> None:
    control = "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: nobody <root@localhost>\nDescription: tiny\n"
    (tmp_path / "tiny/DEBIAN").mkdir(parents=True)
    (tmp_path / "tiny/DEBIAN/control").write_text(f"{control}Depends: python3-click, man-db\n")
    (tmp_path / "tiny/etc").mkdir()
    (tmp_path / "tiny/etc/tiny").write_text("there")
    deb = tmp_path / "tiny_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tmp_path / "tiny", deb], check=True, capture_output=True)

    with Machine(installed(READY, deb)) as machine:
        assert machine.read("/etc/tiny") == "there"
        assert machine.run(["dpkg-query", "-W", "-f", "${Status}", "tiny"]).stdout == "install ok installed"


def test_tree_is_known_by_suite_and_set_of_packages() -> None:
    tree = Tree(packages=("b", "a"))

    assert tree.key == Tree(packages=("a", "b", "a")).key
    assert len({tree.key, tree.on("trixie").key, tree.with_packages("c").key}) == 3


def test_machine_leaves_its_tree_untouched() -> None:
    with Machine(BASE) as machine:
        machine.write("/etc/mine", "x")
        machine.run(["rm", "/etc/os-release"])

    assert not (BASE.path() / "etc/mine").exists()
    assert (BASE.path() / "etc/os-release").is_symlink()


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_sources_are_those_of_the_outer_machine_for_another_suite(suite: str) -> None:
    text = "\n".join(debian_sources(suite))

    assert f"Suites: {suite}" in text
    assert not {"bookworm", "trixie"} - {suite} & set(text.replace("-", " ").split())


# Nothing is left


def test_nothing_is_left_after_a_normal_end_and_after_an_exception() -> None:
    before = traces_of(os.getpid())
    with Machine(BASE) as machine:
        normal = machine.pid
    with pytest.raises(ZeroDivisionError), Machine(BASE) as machine:
        failed = machine.pid
        raise ZeroDivisionError

    assert not start_time(normal)
    assert not start_time(failed)
    assert traces_of(os.getpid()) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_nothing_is_left_when_the_owner_is_ended_by(number: signal.Signals) -> None:
    owner, init = start_owner()
    processes = descendants(owner.pid)
    assert init in processes and len(processes) > 6

    owner.send_signal(number)

    owner.wait(timeout=20)
    await_true(lambda: not any(start_time(pid) for pid in processes) and not traces_of(owner.pid), timeout_s=10)


def test_killed_keeper_takes_its_machine_along_and_the_next_one_sweeps() -> None:
    owner, _ = start_owner()
    processes = descendants(owner.pid)
    unshare = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()[0]

    os.kill(int(unshare), signal.SIGKILL)
    owner.kill()
    owner.wait(timeout=20)

    await_true(lambda: not any(start_time(pid) for pid in processes), timeout_s=10)
    with Machine(BASE):
        pass
    assert traces_of(owner.pid) == []


def start_owner() -> tuple[subprocess.Popen[str], int]:
    """Start a process that has a machine; return it and the outer pid of the machine's PID 1."""
    owner = subprocess.Popen([sys.executable, "-c", textwrap.dedent(OWNER)], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        return owner, int(owner.stdout.readline())


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in children for found in (int(child), *descendants(int(child)))]


def traces_of(owner_pid: int) -> list[str]:
    """Return what of the machines of one process is in the system: cgroups, and mounts that reached our namespace."""
    # Those of others come and go meanwhile; walk() passes over them.
    walked = os.walk("/sys/fs/cgroup")
    cgroups = [
        f"{folder}/{name}" for folder, names, _ in walked for name in names if name.startswith(f"plexguard-testbed-{owner_pid}-")
    ]
    mounts = [
        line for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines() if "/run/machine" in line
    ]
    nspawn = [str(path) for path in Path("/run/systemd").glob("nspawn/*/*")]
    return cgroups + mounts + nspawn
