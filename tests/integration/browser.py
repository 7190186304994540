"""A real Chromium."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
SCREENSHOTS = Path(__file__).parent.parent.parent / "build/screenshots"
SIZES = {"phone": (360, 800), "desktop": (1280, 900)}
# Only a bound for what never happens; a test goes on as soon as it sees what it waits for.
PATIENCE_S = 30


class Browser:
    """What somebody does in front of the page, and sees of it."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def look(self, *, size: str = "desktop", theme: str = "light") -> None:
        width, height = SIZES[size]
        self.resize(width, height, is_mobile=size == "phone")
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}]},
        )

    def resize(self, width: int, height: int, *, is_mobile: bool = False) -> None:
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_mobile}
        )

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str = "body") -> str:
        return str(
            self.run(
                "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.toWellFormed()).join('\\n')", selector
            )
        )

    def wait(self, seen: Callable[[], Any], what: str) -> Any:
        return WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.05).until(lambda _: seen(), what)

    def wait_text(self, selector: str, words: str) -> None:
        self.wait(lambda: words in self.text(selector), f"{words!r} in {selector}")

    def wait_link(self, *states: str) -> None:
        self.wait(lambda: self.run("return document.body.dataset.link") in states, f"link {states}")

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self) -> str:
        """Return what has the focus: its id, or its class and text."""
        return str(self.run("const e = document.activeElement; return e.id || `${e.className} ${e.textContent}`.trim()"))

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def faint_texts(self) -> list[Any]:
        return list(self.run(_TOO_FAINT))

    def console(self) -> list[str]:
        """Return what was said on the console since it was last asked."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]


# Texts whose contrast to what is really behind them is under 4.5 (WCAG 2.2, 1.4.3).
_TOO_FAINT = """
const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (e) => { for (let at = e; at; at = at.parentElement) { const c = parse(getComputedStyle(at).backgroundColor); if (c.length < 4 || c[3] === 1) return c; } return parse(getComputedStyle(document.body).backgroundColor); };
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const e = node.parentElement;
  if (!node.data.trim() || !e.checkVisibility()) continue;
  const style = getComputedStyle(e);
  const [one, other] = [luminance(parse(e.closest("svg") ? style.fill : style.color)), luminance(ground(e.closest("svg")?.parentElement ?? e))].sort();
  const ratio = (other + 0.05) / (one + 0.05);
  if (ratio < 4.5) found.push([node.data, ratio]);
}
return found;
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    if not shutil.which(CHROMIUM) or not shutil.which(DRIVER):
        pytest.skip("chromium and chromium-driver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("chromium")
    for argument in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-dev-shm-usage",
        "hide-scrollbars",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = Service(DRIVER)
    driver = webdriver.Chrome(service=service, options=options)
    ours = psutil.Process(service.process.pid).children(recursive=True)
    yield driver
    driver.quit()
    for process in psutil.wait_procs(ours, timeout=5)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture
def browser(chromium: webdriver.Chrome) -> Iterator[Browser]:
    opened = Browser(chromium)
    opened.open("about:blank")
    opened.console()
    opened.look()
    yield opened
    opened.open("about:blank")
