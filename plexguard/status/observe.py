"""What `apply` compares: the drop-ins that the generator made, before and after."""

from pathlib import Path

GENERATED = Path("/run/systemd/generator")


def read_drop_ins(folder: Path = GENERATED) -> dict[str, str]:
    """Return the generated drop-ins of plexguard's units by "unit.d/file"."""
    return {str(file.relative_to(folder)): file.read_text(encoding="utf-8") for file in folder.glob("plexguard-*.d/*.conf")}
