"""Write the files that are made from the code: the message catalog and the example configuration (`make generate`)."""

from pathlib import Path

from plexguard.core import config, suite

ROOT = Path(__file__).parent.parent
CATALOG = ROOT / "packaging/catalog/plexguard.catalog"
EXAMPLE = ROOT / "packaging/config/plexguard.toml"

_CATALOG_HEAD = "# The runbooks of plexguard's events, shown by journalctl -x. Made from the code by `make generate`.\n\n"
_EXAMPLE_HEAD = """\
# The configuration of plexguard. Every option is shown with its default: an empty file is a working configuration.
# Drop-ins in plexguard.toml.d/*.toml win over this file, key by key. After a change:
#   plexguard-status check-config && plexguard-status apply

"""


def render_catalog() -> str:
    return _CATALOG_HEAD + "\n".join(event.catalog_entry() for event in suite.events())


def render_example() -> str:
    return _EXAMPLE_HEAD + config.render_example(suite.sections())


if __name__ == "__main__":
    CATALOG.write_text(render_catalog(), encoding="utf-8")
    EXAMPLE.write_text(render_example(), encoding="utf-8")
