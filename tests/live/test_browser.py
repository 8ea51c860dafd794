"""The web UI in a real browser: what a person sees of a run that leaks."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from locusting import LONG_S, Web
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
SCREENSHOTS = Path(__file__).parents[2] / ".ctxsim" / "screenshots"
RED = "rgb(211, 47, 47)"

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium"),
]


class Said:
    """What the pages said to the console that they should not have."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} at {message.location.get('url')}")


@pytest.fixture
def page() -> Iterator[Page]:
    # Chromium's sandbox refuses to be root's.
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.set_default_timeout(LONG_S * 1000)
        expect.set_options(timeout=LONG_S * 1000)
        yield page
        browser.close()


def shot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def test_a_run_is_started_turns_red_and_gives_away_its_story_and_reports(
    web: Web, page: Page, tmp_path: Path
) -> None:
    said = Said(page)
    page.goto(web.address)
    page.get_by_label(re.compile("^Number of users")).fill("12")
    page.get_by_label(re.compile("^Ramp up")).fill("100")
    shot(page, "form")
    page.get_by_role("button", name=re.compile("^start", re.IGNORECASE)).click()
    tab = page.get_by_role("tab", name="Isolation")
    tab.click()
    verdict = page.get_by_role("cell", name="findings", exact=True)
    expect(verdict).to_have_css("color", RED)
    expect(tab).to_have_css("color", RED)
    shot(page, "isolation")
    page.get_by_role("tab", name="Findings").click()
    expect(page.get_by_role("cell", name="CTX201", exact=True)).to_be_visible()
    shot(page, "findings")
    page.get_by_role("button", name=re.compile("^stop", re.IGNORECASE)).click()
    expect(page.get_by_text(re.compile("^stopped$", re.IGNORECASE))).to_be_visible()

    page.goto(f"{web.address}/ctxsim")
    expect(page.get_by_text("exit code 1")).to_be_visible()
    expect(page.get_by_text("kept in leaky.LAST")).to_be_visible()
    shot(page, "story")
    result = json.loads(downloaded(page, "Result document", tmp_path))
    assert result["exit_code"] == 1
    assert "leaky.LAST" in downloaded(page, "HTML report", tmp_path)
    suite = ElementTree.fromstring(downloaded(page, "JUnit report", tmp_path))
    assert list(suite.iter("failure"))
    assert said.errors == []


def downloaded(page: Page, link: str, folder: Path) -> str:
    """The text of what a link gives away."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.read_text()
