"""Headless Chromium; tests that need it are skipped where it, its driver or selenium is missing."""

import pathlib
import shutil
import time

import pytest


class Downloads:
    """The folder that the browser saves to."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def wait_for(self, start: str, seconds: float = 10) -> pathlib.Path:
        """Returns the file whose name begins so, when it is whole."""
        end = time.monotonic() + seconds
        while True:
            found = [path for path in self.folder.iterdir() if path.name.startswith(start)]
            if found and not found[0].name.endswith(".crdownload"):
                return found[0]
            assert time.monotonic() < end, f"nothing in {self.folder} begins with {start}"
            time.sleep(0.05)


@pytest.fixture
def downloads(tmp_path):
    (tmp_path / "downloads").mkdir()
    return Downloads(tmp_path / "downloads")


@pytest.fixture
def chromium(downloads, tmp_path):
    """A browser with a profile of its own; `problems()` returns what its console complains about."""
    webdriver = pytest.importorskip("selenium.webdriver")
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("chromium or chromedriver is missing")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--mute-audio",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1100,1000",
    ):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads.folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.problems = lambda: [entry["message"] for entry in chrome.get_log("browser")]
    yield chrome
    chrome.quit()
