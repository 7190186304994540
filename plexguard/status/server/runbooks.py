"""An event's explanation with its values in place, as `journalctl -x` shows it. Pure."""

import string
import textwrap
from collections.abc import Mapping
from typing import Any

from plexguard.core.events import QUOTED, Event, quote_for_shell, show_path


def render_runbook(event: Event, fields: Mapping[str, Any]) -> dict[str, str]:
    """Return the four parts: paragraphs, and indented lines that are commands."""
    parts = {"meaning": event.meaning, "decided": event.decided, "did": event.did, "action": event.action}
    return {name: render_text(text, fields) for name, text in parts.items()}


def render_text(template: str, fields: Mapping[str, Any]) -> str:
    """Return a text with its fields filled in; one that is not known stays to be seen as it is written."""
    parsed = string.Formatter().parse(textwrap.dedent(template).strip())
    return "".join(text + (_fill(name, fields) if name else "") for text, name, _, _ in parsed)


def _fill(name: str, fields: Mapping[str, Any]) -> str:
    plain = name.removesuffix(QUOTED)
    if name not in fields and plain in fields:
        return quote_for_shell(str(fields[plain]))
    return _show(fields[name]) if name in fields else f"{{{name}}}"


def _show(value: Any) -> str:
    # Line by line: what is no printable text is shown as an escape, bytes that are no UTF-8 among it.
    text = f"{value:.1f}" if isinstance(value, float) else str(value)
    return "\n".join(map(show_path, text.split("\n")))


def show_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _show(value) if isinstance(value, str) else value for name, value in fields.items()}
