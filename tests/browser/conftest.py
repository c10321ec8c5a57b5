"""Real browsers, headless, with one small interface: Chromium through chromedriver, Firefox by itself.

Firefox speaks WebDriver BiDi on a socket, so no geckodriver is needed, which Debian does not have. A browser that is
not installed is skipped, except by `make test-browser`, which fails with what is missing.
"""

import base64
import functools
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
from typing import ClassVar

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.music.midi import midi_bytes
from msw2.music.tracks import TRACK_NAMES
from msw2.page.build import build_page
from msw2.page.songs import Song, Version

REQUIRED = "MSW2_TEST_BROWSER"  # set by `make test-browser`: the folder for screenshots
PATIENCE = 60  # seconds for what takes one where the machine is idle
# WebDriver's names of keys that are no letters.
KEYS = {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}
SHIFT = "\ue008"
SCHEME = "layout.css.prefers-color-scheme.content-override"  # Firefox's preference: 0 dark, 1 light
GRID = Grid()
DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>"


def installed(programs):
    """Returns the path of the first program that is installed, or None."""
    return next(filter(None, map(shutil.which, programs)), None)


def missing(browser):
    """Returns a sentence that says what a browser's tests need and how to get it; empty if all is there."""
    packages = [package for package, programs in browser.NEEDED.items() if not installed(programs)]
    commands = [f"apt-get install {' '.join(packages)}"] if packages else []
    if not importlib.util.find_spec("selenium"):
        packages.append("selenium")
        commands.append("pip install --editable '.[browser]'")
    if not packages:
        return ""
    name = browser.__name__
    return f"{name} is not tested, for {' and '.join(packages)} are missing: {'; '.join(commands)}"


class Chromium:
    """Chromium, driven by selenium. Without a sound card, it plays to nowhere."""

    ARGUMENTS = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"),
        *("--autoplay-policy=no-user-gesture-required", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--disable-default-apps"),
    )

    NEEDED: ClassVar = {  # Debian's package -> what it brings
        "chromium": ("chromium", "chromium-browser", "google-chrome"),
        "chromium-driver": ("chromedriver",),
    }

    def __init__(self):
        from selenium import webdriver  # noqa: PLC0415 - only where it is installed

        self.chains = webdriver.ActionChains
        options = webdriver.ChromeOptions()
        options.binary_location = installed(self.NEEDED["chromium"])
        for argument in self.ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))

    def open(self, path):
        self.driver.get("about:blank")
        self._size(1280, 800, 1, False)
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(path.as_uri())

    def run(self, expression):
        return self.driver.execute_async_script(
            f"const done = arguments[0]; Promise.resolve({expression}).then(done, (error) => done(String(error)))"
        )

    def press(self, key, *, shift=False):
        actions = self.chains(self.driver)
        if shift:
            actions.key_down(SHIFT)
        actions.send_keys(KEYS.get(key, key))
        if shift:
            actions.key_up(SHIFT)
        actions.perform()

    def screenshot(self, path, width, height, *, scale=1, dark=False):
        self._size(width, height, scale, dark)
        self.driver.save_screenshot(str(path))

    def requests(self):
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"])
        return found

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def save_to(self, folder):
        behaviour = {"behavior": "allow", "downloadPath": str(folder)}
        self.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)

    def close(self):
        self.driver.quit()

    def _size(self, width, height, scale, dark):
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})


class Firefox:
    """Firefox, driven by WebDriver BiDi (https://www.w3.org/TR/webdriver-bidi/)."""

    PREFERENCES: ClassVar = {
        "media.autoplay.default": 0,
        "media.autoplay.blocking_policy": 0,
        "media.cubeb.force_mock_context": True,  # without a sound card, the clock of Web Audio stands still
        "app.update.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False,
        "browser.shell.checkDefaultBrowser": False,
    }

    REMOTE = ("--remote-debugging-port=0", "--remote-allow-system-access")  # the latter to change preferences

    NEEDED: ClassVar = {"firefox-esr": ("firefox", "firefox-esr")}

    def __init__(self):
        import websocket  # noqa: PLC0415 - only where it is installed

        self.profile = tempfile.TemporaryDirectory()
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in self.PREFERENCES.items()]
        (pathlib.Path(self.profile.name) / "user.js").write_text("".join(lines))
        self.log = open(pathlib.Path(self.profile.name) / "log", "w+")  # noqa: SIM115 - closed in close()
        self.process = subprocess.Popen(
            [
                installed(self.NEEDED["firefox-esr"]),
                "--headless",
                "--no-remote",
                *self.REMOTE,
                "--profile",
                self.profile.name,
            ],
            stdout=subprocess.DEVNULL,
            stderr=self.log,
        )
        address = wait_for(self._address, "Firefox's socket")
        self.socket = websocket.create_connection(
            f"{address}/session", suppress_origin=True, timeout=PATIENCE
        )
        self.calls, self.events = 0, []
        self._call("session.new", capabilities={})
        self.context = self._call("browsingContext.getTree")["contexts"][0]["context"]
        self._call("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])

    def _address(self):
        found = re.search(r"listening on (ws://\S+)", (pathlib.Path(self.profile.name) / "log").read_text())
        return found and found[1]

    def _call(self, method, **parameters):
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.calls:
                assert answer["type"] == "success", answer
                return answer["result"]
            self.events.append(answer)

    def open(self, path):
        self._call("browsingContext.navigate", context=self.context, url="about:blank", wait="complete")
        self._size(1280, 800, 1)
        self._scheme(dark=False)
        self.events.clear()
        self._call("browsingContext.navigate", context=self.context, url=path.as_uri(), wait="complete")

    def run(self, expression):
        whole = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null), String)"
        result = self._call(
            "script.evaluate",
            expression=whole,
            target={"context": self.context},
            awaitPromise=True,
            userActivation=True,
        )["result"]
        return json.loads(result["value"])

    def press(self, key, *, shift=False):
        value, held = KEYS.get(key, key), [{"type": "keyDown", "value": SHIFT}] if shift else []
        pressed = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        freed = [{"type": "keyUp", "value": SHIFT}] if shift else []
        keys = [{"type": "key", "id": "keys", "actions": [*held, *pressed, *freed]}]
        self._call("input.performActions", context=self.context, actions=keys)

    def screenshot(self, path, width, height, *, scale=1, dark=False):
        self._size(width, height, scale)
        self._scheme(dark)
        image = self._call("browsingContext.captureScreenshot", context=self.context)["data"]
        path.write_bytes(base64.b64decode(image))

    def requests(self):
        sent = [event for event in self.events if event["method"] == "network.beforeRequestSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def errors(self):
        logged = [event["params"] for event in self.events if event["method"] == "log.entryAdded"]
        return [entry["text"] for entry in logged]

    def save_to(self, folder):
        self._chrome("Services.prefs.setIntPref('browser.download.folderList', 2)")
        self._chrome(f"Services.prefs.setStringPref('browser.download.dir', {json.dumps(str(folder))})")

    def close(self):
        self._call("session.end")
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.profile.cleanup()

    def _size(self, width, height, scale):
        viewport = {"width": width, "height": height}
        self._call(
            "browsingContext.setViewport", context=self.context, viewport=viewport, devicePixelRatio=scale
        )

    def _scheme(self, dark):
        self._chrome(f"Services.prefs.setIntPref('{SCHEME}', {0 if dark else 1})")
        scheme = f"matchMedia('(prefers-color-scheme: {'dark' if dark else 'light'})').matches"
        wait_for(lambda: self.run(scheme), "the colours")

    def _chrome(self, expression):
        """Runs an expression in the browser's own window, which may change preferences."""
        windows = self._call("browsingContext.getTree", **{"moz:scope": "chrome"})["contexts"]
        self._call(
            "script.evaluate",
            expression=expression,
            target={"context": windows[0]["context"]},
            awaitPromise=False,
        )


def wait_for(condition, what):
    """Returns the first true value of a function.

    Raises:
        AssertionError: if there is none for a minute.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {PATIENCE} seconds")


@pytest.fixture(scope="module", params=[Chromium, Firefox], ids=["chromium", "firefox"])
def browser(request):
    """A running browser, or a skip that says what is missing."""
    if sentence := missing(request.param):
        (pytest.fail if os.environ.get(REQUIRED) else pytest.skip)(sentence)
    running = request.param()
    yield running
    running.close()


@pytest.fixture(scope="session")
def shots(tmp_path_factory):
    """Folder for screenshots."""
    asked = os.environ.get(REQUIRED)
    folder = pathlib.Path(asked) if asked else tmp_path_factory.mktemp("shots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@functools.cache
def band_song(strings=True):
    """bool [step, pitch, track] of sixteen bars: low notes of the bass, high strings, a drum on each beat."""
    cells = np.zeros((16 * 48, 84, len(TRACK_NAMES)), bool)
    for step in range(0, len(cells), 24):
        cells[step : step + 23, 9, BASS] = True  # MIDI 33, 55 Hz
    for step in range(0, len(cells), 96):
        cells[step : step + 94, 60, STRINGS] = strings  # MIDI 84, 1047 Hz
    cells[::12, 18, DRUMS] = True  # a closed hi-hat
    return cells


@pytest.fixture(scope="session")
def page(tmp_path_factory):
    """A page of three songs: a whole band in two versions, one without strings; a short song; a hostile one."""
    short = np.zeros((48, 84, len(TRACK_NAMES)), bool)
    short[0:40, 36, PIANO] = True

    def version(label, cells, tempo=120.0, file="a.mid", **others):
        return Version(label, cells, tempo, file, midi_bytes(cells, GRID, tempo), **others)

    songs = [
        Song(
            "restored/band",
            (
                version("original", band_song()),
                version("restored", band_song(strings=False), facts={"seed": "7", "F1": 0.9}),
            ),
        ),
        Song("short", (version("made", short, 240.0),)),
        Song(HOSTILE, (version(HOSTILE, short, facts={HOSTILE: HOSTILE}),)),
    ]
    path = tmp_path_factory.mktemp("page") / "index.html"
    build_page(path, songs, title=HOSTILE)
    return path
