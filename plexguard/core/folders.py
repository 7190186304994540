"""Which folders are the system's own, and nobody's media. By name alone."""

from plexguard.core.mounts import is_below

# Nobody's media; adding read bits below any of these would publish keys and passwords. A library that somebody
# points at one of them, by mistake or not, must not make root do that.
_SYSTEM_FOLDERS = ("/etc", "/usr", "/boot", "/root", "/proc", "/sys", "/dev", "/bin", "/sbin", "/lib", "/lib64", "/efi")
_SYSTEM_PARENTS = ("/", "/home", "/var", "/run", "/opt")
_SYSTEM_STATE = ("/run", "/var/lib", "/var/log", "/var/cache", "/var/spool", "/var/backups", "/var/mail", "/var/www")
# Where removable disks appear.
_MEDIA_IN_STATE = ("/run/media", "/run/mount")


def is_system_folder(path: str) -> bool:
    """Tell whether a path is a folder of the system, or holds one, or is somebody's whole home."""
    if path in _SYSTEM_PARENTS or any(is_below(path, folder) for folder in _SYSTEM_FOLDERS):
        return True
    if any(is_below(path, folder) for folder in _MEDIA_IN_STATE):
        return False
    return any(is_below(path, folder) or is_below(folder, path) for folder in _SYSTEM_STATE) or _is_home(path)


def _is_home(path: str) -> bool:
    parts = path.strip("/").split("/")
    # /home/anna holds .ssh; /home/anna/Videos is media, /home/anna/.cache is not.
    return parts[0] == "home" and (len(parts) < 3 or parts[2].startswith("."))
