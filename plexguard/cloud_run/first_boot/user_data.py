"""What a rented machine is told for its first boot: who it is, who may come in, what it needs, and when it ends. Pure.

It is armed to end itself before anything else is done, so that whatever fails later leaves a machine with an end; that only powers
it off, which is still paid for: giving it back is done from outside, and no key that could do so ever goes onto the machine. SSH
answers minutes before the rest is done: ready it is when READY is there, the last thing that its own script writes.
"""

import json
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from plexguard.core.errors import DataError, PeerError

FOLDER = "/run/plexguard"
READY = f"{FOLDER}/ready"
FAILED = f"{FOLDER}/failed"
LOG = "/var/log/cloud-init-output.log"
# Not documented for Scaleway; more was never tried there.
MAX_BYTES = 16_000
TIMER = "plexguard-self-destruct.timer"
_SERVICE = "plexguard-self-destruct.service"
_UNITS = "/etc/systemd/system"
# The last two are what the package's own code imports, which is sent there as one file.
PACKAGES = (
    "docker.io",
    "fuse3",
    "polkitd",
    "rclone",
    "rsync",
    "sqlite3",
    "zstd",
    "python3",
    "python3-click",
    "python3-psutil",
    "python3-systemd",
)
_COMMANDS = ("docker", "fusermount3", "rclone", "rsync", "sqlite3", "zstd")
_IMPORTS = "import click, psutil, systemd.journal"
# By name after the scripts of others that run at each boot.
_SCRIPT = "/var/lib/cloud/scripts/per-boot/zz-plexguard"
_SETTINGS = {
    "/etc/sysctl.d/60-plexguard.conf": "fs.file-max = 500000\nvm.swappiness = 10\nvm.vfs_cache_pressure = 50\n",
    # Of whoever logs in, and of services: docker, and rclone.
    "/etc/security/limits.d/60-plexguard.conf": "".join(
        f"{who} {kind} nofile {most}\n" for who in ("*", "root") for kind, most in (("soft", 100_000), ("hard", 500_000))
    ),
    "/etc/systemd/system.conf.d/60-plexguard.conf": "[Manager]\nDefaultLimitNOFILE=100000:500000\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """host_private, host_public: by which the machine shows who it is. client_public: of who may come in. deadline: when it ends.
    image: of the container, fetched beforehand; "" for none."""

    host_private: str
    host_public: str
    client_public: str
    deadline: datetime
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A machine that is ready. boot_id: in which boot of its own. versions: by program."""

    boot_id: str
    versions: dict[str, str]


def make_user_data(told: Told) -> bytes:
    """Return a cloud-config, as JSON, which all YAML parsers read. Raises DataError when it is too long."""
    values = {
        # Runs before all else, and before files can be written: so it carries what it writes.
        "bootcmd": [["/bin/sh", "-c", _arm(told.deadline)]],
        "ssh_keys": {"ed25519_private": _line(told.host_private), "ed25519_public": _line(told.host_public)},
        "disable_root": False,
        "ssh_pwauth": False,
        "ssh_authorized_keys": [told.client_public.strip()],
        "package_update": True,
        "package_upgrade": False,
        "packages": list(PACKAGES),
        "write_files": [
            *({"path": path, "content": text, "permissions": "0644"} for path, text in _SETTINGS.items()),
            {"path": _SCRIPT, "content": _script(told.image), "permissions": "0755"},
        ],
    }
    data = b"#cloud-config\n" + json.dumps(values, indent=1).encode("ascii") + b"\n"
    if len(data) > MAX_BYTES:
        raise DataError(f"user data: {len(data)} bytes, at most {MAX_BYTES} are taken")
    return data


def _line(text: str) -> str:
    return text.strip() + "\n"


def _arm(deadline: datetime) -> str:
    """Return the script that arms the machine's end. Its units need nothing, not even that the boot goes on: it waits for them.

    Persistent=: one that was off at that time, or was booted anew after it, ends when it is on again.
    """
    service = """\
[Unit]
Description=End of a Rented Machine
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart=/bin/systemctl --force poweroff
"""
    timer = f"""\
[Unit]
Description=Deadline of a Rented Machine
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target

[Timer]
OnCalendar={deadline.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC
Persistent=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
"""
    return "\n".join(
        (
            "set -eu",
            f"printf %s {shlex.quote(service)} > {_UNITS}/{_SERVICE}",
            f"printf %s {shlex.quote(timer)} > {_UNITS}/{TIMER}",
            "systemctl daemon-reload",
            f"systemctl enable {TIMER}",
            f"systemctl start {TIMER}",
            # The timer does not count a deadline that was over before it was first armed.
            f'if [ "$(date +%s)" -ge {int(deadline.timestamp())} ]; then systemctl --no-block start {_SERVICE}; fi',
        )
    )


def _script(image: str) -> str:
    """Return the script that ends the machine's preparation at each boot: each step must do, and the first that does not is told.

    Only the container's image may fail: it is fetched again by whoever needs it.
    """
    fetch = (
        f"systemd-run --quiet --unit=plexguard-image --property=Type=exec --property=RuntimeMaxSec=1h docker pull --quiet "
        f"{shlex.quote(image)} || true"
    )
    return f"""\
#!/bin/sh
# Prepares a rented machine. Its last step is to say so: {READY}, or {FAILED} with the step that failed.
set -eu
umask 022
mkdir -p {FOLDER}
rm -f {READY} {FAILED}
step=begin
end() {{
    code=$?
    if [ "$code" -ne 0 ]; then
        echo "plexguard: $step failed with exit code $code" | tee {FAILED}.new
        mv {FAILED}.new {FAILED}
    fi
}}
trap end EXIT
step="arming the end of the machine"
systemctl is-active --quiet {TIMER}
for command in {" ".join(_COMMANDS)}; do
    step="installing $command"
    command -v "$command" > /dev/null
done
step="installing what plexguard imports"
python3 -c '{_IMPORTS}'
step="allowing mounts for all users"
grep -qx user_allow_other /etc/fuse.conf || echo user_allow_other >> /etc/fuse.conf
step="system settings"
systemctl restart systemd-sysctl.service
systemctl daemon-reexec
step="starting docker"
timeout 120 systemctl start docker.service
docker="$(timeout 60 docker version --format '{{{{.Server.Version}}}}')"
{fetch if image else ""}
step="telling that it is ready"
{{
    echo "boot_id=$(cat /proc/sys/kernel/random/boot_id)"
    echo "docker=$docker"
    echo "rclone=$(rclone version | head -n 1)"
    echo "python3=$(python3 --version)"
}} > {READY}.new
mv {READY}.new {READY}
"""


def read_ready(text: str) -> Ready:
    """Return what the file READY says. Raises PeerError."""
    rows = dict(line.partition("=")[::2] for line in text.splitlines())
    boot_id = rows.pop("boot_id", "")
    if not boot_id:
        raise PeerError(f"{READY}: does not say in which boot the machine is ready")
    return Ready(boot_id=boot_id, versions=rows)
