"""The status page as files: nothing from elsewhere, nothing inline, texts never as HTML, and colours that can be read."""

import re
import tomllib

import pytest

from tests.static.tree import ROOT

WEB = ROOT / "plexguard/status/web"
PAGE = (WEB / "index.html").read_text(encoding="utf-8")
STYLE = (WEB / "style.css").read_text(encoding="utf-8")
SCRIPTS = sorted(WEB.glob("*.js"))


def colours(theme: str) -> dict[str, str]:
    """Return the custom properties that are colours; those of the dark theme lie over the light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    text = light if theme == "light" else light + dark
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


def luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb". Source: WCAG 2.2, "relative luminance"."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_counted_as_the_standard_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


STATES = ("well", "warning", "problem", "notice", "unknown")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *((text, ground) for text in ("text", "quiet", "accent") for ground in ("ground", "surface", "sunken")),
        *((state, f"{state}-soft") for state in STATES),
        *(("text", f"{state}-soft") for state in STATES),
        ("ground", "text"),
    ],
)
def test_text_can_be_read(theme, text, ground):
    assert contrast(colours(theme)[text], colours(theme)[ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("shape", "ground"),
    [
        *((state, ground) for state in ("problem", "warning", "notice") for ground in ("surface", "track")),
        *((shape, "surface") for shape in ("accent", "second", "edge")),
        ("accent", "ground"),
        ("accent", "sunken"),
        ("warning", "warning-soft"),
    ],
)
def test_shapes_can_be_told_apart(theme, shape, ground):
    assert contrast(colours(theme)[shape], colours(theme)[ground]) >= 3


def test_both_themes_have_the_same_colours():
    light, dark = (
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text)) for text in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    )
    assert set(light) == set(dark)


def test_colours_are_only_in_the_palette():
    rules = STYLE.replace(re.search(r":root \{.*?\n\}\n\n@media.*?\n\}\n", STYLE, re.DOTALL)[0], "")
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsla?\(", rules)


def test_every_colour_is_used():
    unused = [name for name in re.findall(r"^\s*--([a-z-]+):", STYLE, re.MULTILINE) if f"var(--{name})" not in STYLE]
    assert not unused


def test_page_has_nothing_inline():
    # The policy of the server forbids it: such a script or style would silently not be there.
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\bsrc=)", PAGE)


def test_page_takes_nothing_from_elsewhere():
    texts = {path.name: path.read_text(encoding="utf-8") for path in WEB.iterdir()}
    # The name of the SVG namespace is no address that is asked.
    found = {
        name: re.findall(r"(?:https?:)?//[a-z0-9][^\s\"'`]*", text.replace("http://www.w3.org/2000/svg", ""))
        for name, text in texts.items()
    }
    assert not {name: links for name, links in found.items() if [link for link in links if "." in link]}
    assert not re.findall(r"@import|url\(", STYLE)


def test_files_that_the_page_names_are_there():
    named = set(re.findall(r'"static/([^"]+)"', PAGE))
    imported = {name for script in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', script.read_text(encoding="utf-8"))}
    assert named | {"index.html"} == {path.name for path in WEB.iterdir()}
    # What scripts import is named too, so that a browser far away does not find one after the other.
    assert imported <= named


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_never_makes_html_of_a_text(script):
    text = script.read_text(encoding="utf-8")
    assert not re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\(|new Function|srcdoc",
        text,
    )
    # An attribute with a text from outside must not be one that does something.
    assert not re.findall(r"[{,]\s*\"?(?:href|src|style|on[a-z]+)\"?:", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_opens_with_what_it_is_for(script):
    assert script.read_text(encoding="utf-8").startswith("// ")


def test_page_is_package_data():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert settings["tool"]["setuptools"]["package-data"] == {"plexguard.status": ["web/*"]}
    assert not [path for path in WEB.rglob("*") if path.parent != WEB]


def test_page_says_where_to_look_without_scripts():
    assert "plexguard-status" in re.search(r"<noscript>(.*?)</noscript>", PAGE, re.DOTALL)[1]
