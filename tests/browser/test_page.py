"""The page in real browsers: it sounds, it obeys, it fetches nothing."""

import base64
import json
import re
import struct
import time

import pytest

from msw2.music.grid import Grid
from msw2.music.midi import read_song

LOW, HIGH = (40, 180), (900, 2400)  # Hz: the bass, and the strings with one overtone
SILENCE = -90  # dB
BAR = 48

# The loudest level of a band of frequencies, in dB, within half a second.
LEVEL = """(async () => {
  const node = msw2.analyser;
  const width = node.context.sampleRate / node.fftSize;
  const bins = new Float32Array(node.frequencyBinCount);
  let loudest = -300;
  for (let look = 0; look < 20; look += 1) {
    await new Promise((done) => setTimeout(done, 25));
    node.getFloatFrequencyData(bins);
    for (let bin = Math.ceil(%d / width); bin < %d / width; bin += 1) loudest = Math.max(loudest, bins[bin]);
  }
  return Math.max(loudest, -300);
})()"""

# Whether what is heard now is nothing.
SILENT = """(() => {
  const wave = new Float32Array(4096);
  msw2.analyser.getFloatTimeDomainData(wave);
  return wave.every((value) => Math.abs(value) < 1e-5);
})()"""

# Clicks on the first pianoroll, a quarter of its width from its left edge.
CLICK = """(() => {
  const paper = document.querySelector('.paper');
  const { left, top, width } = paper.getBoundingClientRect();
  const place = { clientX: left + width / 4 + 1, clientY: top + 50, bubbles: true };
  paper.dispatchEvent(new MouseEvent('click', place));
})()"""

# The least height of what can be pressed.
SMALLEST = """Math.min(...[...document.querySelectorAll('button, a, input:not([type=checkbox])')]
  .filter((element) => element.offsetParent)
  .map((element) => element.getBoundingClientRect().height))"""

# Frames after the last sound; for each sound, the frames from its place to its first loud one; the number of sounds.
DECODED = """(async () => {
  const { kit } = JSON.parse(document.getElementById('data').textContent);
  const bytes = Uint8Array.from(atob(kit.ogg), (letter) => letter.charCodeAt(0));
  const buffer = await new OfflineAudioContext(1, 1, kit.rate).decodeAudioData(bytes.buffer);
  const frames = buffer.getChannelData(0);
  const starts = kit.samples.map(([, , start, length]) => {
    const peak = frames.subarray(start, start + length).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    let at = Math.max(start - 400, 0);
    while (Math.abs(frames[at]) < peak / 50) at += 1;
    return at - start;
  });
  const [, , start, length] = kit.samples.at(-1);
  return [buffer.length - start - length, starts, kit.samples.length];
})()"""


class Heard:
    """What a test asks a browser about the page."""

    def __init__(self, browser):
        self.browser = browser

    def __getattr__(self, name):
        return getattr(self.browser, name)

    def level(self, band):
        return self.run(LEVEL % band)

    def until(self, expression):
        end = time.monotonic() + 60
        while not (value := self.run(expression)):
            assert time.monotonic() < end, f"{expression} is still {value}"
            time.sleep(0.05)
        return value

    def until_level(self, band, fits, what):
        """Waits until the level of a band fits: the analyser looks back, and a busy machine is late."""
        end = time.monotonic() + 60
        while not fits(level := self.level(band)):
            assert time.monotonic() < end, f"{what}: the level of {band} Hz is {level}"
        return level

    def click(self, selector, index=0):
        self.run(f"document.querySelectorAll({json.dumps(selector)})[{index}].click()")

    def slide(self, selector, value):
        self.run(
            f"""(() => {{
              const slider = document.querySelector({json.dumps(selector)});
              slider.value = {value};
              slider.dispatchEvent(new Event('input'));
            }})()"""
        )

    def all(self, selector, expression):
        """Returns the value of an expression of `e` for each element."""
        return self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => {expression})")

    def step(self, song=0):
        return self.run(f"msw2.songs[{song}].step")

    def pressed(self, selector):
        return self.all(selector, "e.getAttribute('aria-pressed')")

    def play(self, song=0):
        self.click(".play", song)
        self.until(f"msw2.playing !== null && msw2.songs[{song}].step > 1")


@pytest.fixture
def heard(browser, page):
    """The page, just opened, with the first song's original chosen."""
    browser.open(page)
    heard = Heard(browser)
    heard.click(".versions button")
    yield heard
    assert browser.errors() == []


def test_the_page_asks_for_nothing(heard, page):
    heard.play()
    heard.level(LOW)
    # Firefox does not count the page's own file.
    assert {url for url in heard.requests() if not url.startswith("data:")} <= {page.as_uri()}
    assert (
        heard.run(
            "performance.getEntriesByType('resource').filter((e) => !e.name.startsWith('data:')).length"
        )
        == 0
    )


def test_names_that_look_like_code_do_nothing(heard):
    title = heard.run("document.title")
    assert "<script>window.hacked" in title
    assert heard.run("document.querySelector('h1').textContent") == title
    assert title in heard.run("document.querySelectorAll('article')[2].querySelector('h2').textContent")
    assert heard.run("window.hacked ?? 'unharmed'") == "unharmed"
    assert heard.run("document.querySelectorAll('img').length") == 0


def test_play_sounds_and_moves_and_pause_stops(heard):
    assert heard.run("msw2.playing") is None
    heard.play()
    assert heard.run("msw2.playing") == "restored/band"
    before = heard.step()
    assert heard.level(LOW) > -60
    assert heard.level(HIGH) > -60
    assert heard.step() > before
    heard.click(".play")
    assert heard.run("msw2.playing") is None
    stood = heard.step()
    heard.until_level(LOW, lambda level: level < SILENCE, "after the pause")
    assert heard.step() == stood
    heard.play()
    heard.until(f"msw2.songs[0].step > {stood}")


def test_mute_all_is_silence(heard):
    heard.play()
    for track in (0, 3, 4):  # the page has buttons for the tracks that have notes: drums, bass, strings
        heard.click(".pair button", 2 * (0, 3, 4).index(track))
    assert heard.pressed("article:first-child .pair button") == ["true", "false"] * 3
    heard.until(SILENT)
    assert heard.run("msw2.playing") == "restored/band"
    heard.click(".pair button")
    heard.until(f"!{SILENT}")


def test_mute_takes_away_one_track_and_solo_all_others(heard):
    heard.play()
    low, high = heard.level(LOW), heard.level(HIGH)
    mute_strings, solo_strings = 4, 5
    heard.click(".pair button", mute_strings)
    heard.until_level(HIGH, lambda level: level < high - 15, "strings muted")
    heard.until_level(LOW, lambda level: level > low - 6, "strings muted")
    heard.click(".pair button", mute_strings)
    heard.until_level(HIGH, lambda level: level > high - 6, "strings back")
    heard.click(".pair button", solo_strings)
    heard.until_level(LOW, lambda level: level < low - 25, "strings alone")
    heard.until_level(HIGH, lambda level: level > high - 6, "strings alone")


def test_the_other_version_goes_on_at_the_same_place(heard):
    heard.play()
    high = heard.level(HIGH)
    clock = "(() => [msw2.songs[0].step, msw2.analyser.context.currentTime])()"
    step, time_before = heard.run(clock)
    heard.click(".versions button", 1)
    assert heard.run("msw2.songs[0].version") == "restored"
    assert heard.pressed("article:first-child .versions button") == ["false", "true"]
    after, time_after = heard.run(clock)
    passed = 24 * (time_after - time_before)  # steps, at 120 beats a minute
    assert abs(after - step - passed) < 6  # an eighth of a bar; the new version starts a little later
    heard.until_level(HIGH, lambda level: level < high - 15, "the version without strings")
    assert heard.run("msw2.playing") == "restored/band"
    assert "shadow" in heard.run("document.querySelector('article .version').getAttribute('class')")


def test_one_song_plays_at_a_time_and_rewinds_at_its_end(heard):
    heard.play(0)
    heard.play(1)
    assert heard.run("msw2.playing") == "short"
    assert heard.run("document.querySelectorAll('article.playing').length") == 1
    stood = heard.step(0)
    assert stood > 0
    heard.until("msw2.playing === null")  # one bar at 240 beats a minute
    assert (heard.step(0), heard.step(1)) == (stood, 0)


def test_keys_do_everything(heard):
    heard.press(" ")
    heard.until("msw2.playing === 'restored/band'")
    heard.press(" ")
    heard.until("msw2.playing === null")
    assert heard.step() < 4 * BAR
    bar = int(heard.step()) // BAR
    heard.press("ArrowRight")
    assert heard.step() == BAR * (bar + 1)
    heard.press("ArrowRight")
    assert heard.step() == BAR * (bar + 2)
    heard.press("ArrowLeft")
    assert heard.step() == BAR * (bar + 1)
    heard.press("1")
    heard.press("4", shift=True)
    assert heard.pressed("article:first-child .pair button") == [
        "true",
        "false",
        "false",
        "true",
        "false",
        "false",
    ]
    assert heard.run("document.getElementById('live').textContent") == "bass solo"
    heard.press("o")
    assert heard.run("msw2.songs[0].version") == "restored"
    heard.press("o")
    assert heard.run("msw2.songs[0].version") == "original"
    heard.press("ArrowDown")
    heard.press("ArrowRight")
    assert (heard.step(0), heard.step(1)) == (BAR * (bar + 1), BAR)
    heard.press("ArrowUp")
    heard.press("ArrowRight")
    assert heard.step(0) == BAR * (bar + 2)


def test_seeking_while_it_plays_goes_on_from_there(heard):
    heard.play()
    heard.slide(".place", 480)
    heard.until("msw2.songs[0].step > 484")
    assert heard.step() < 480 + 6 * BAR
    # The strings of this place began a second ago, and sound.
    assert heard.level(HIGH) > -60


def test_a_click_on_the_pianoroll_seeks(heard):
    heard.run(CLICK)
    assert heard.step() == 4 * BAR
    shift = heard.run("new DOMMatrix(getComputedStyle(document.querySelector('.cursor')).transform).e")
    assert shift == pytest.approx(heard.run("document.querySelector('.paper').clientWidth") / 4, abs=1)


def test_controls_have_names_and_values(heard):
    names = heard.all("button", "e.getAttribute('aria-label') || e.textContent")
    assert names[:9] == [
        *("Play band", "original", "restored", "Mute drums", "Solo drums"),
        *("Mute bass", "Solo bass", "Mute strings", "Solo strings"),
    ]
    assert all(names)
    names_of_sliders = "[e.getAttribute('aria-label'), e.getAttribute('aria-valuetext')]"
    sliders = heard.all("input[type=range]", names_of_sliders)
    assert sliders[:2] == [["Position in band", "0:00 of 0:32, bar 1 of 16"], ["Volume", "80 percent"]]
    heard.press("ArrowRight")
    assert (
        heard.run("document.querySelector('.place').getAttribute('aria-valuetext')")
        == "0:02 of 0:32, bar 2 of 16"
    )
    assert heard.run("document.querySelector('.facts').textContent") == "restoredseed7F10.9"


def test_volume_makes_it_softer(heard):
    heard.play()
    low = heard.level(LOW)
    heard.slide(".volume input", 20)
    heard.until_level(LOW, lambda level: low - 32 < level < low - 16, "a quarter of the volume: 24 dB less")


def test_midi_files_are_there_to_download(heard):
    links = heard.all(".files a", "[e.textContent, e.download, e.href]")
    assert [link[:2] for link in links[:3]] == [
        ["MIDI, original", "a.mid"],
        ["MIDI, restored", "a.mid"],
        ["MIDI", "a.mid"],
    ]
    kind, content = links[1][2].split(";base64,")
    assert kind == "data:audio/midi"
    song = read_song(base64.b64decode(content), Grid())
    assert song.pianoroll.shape == (16 * BAR, 84, 5)
    assert song.pianoroll.any(axis=(0, 1)).tolist() == [True, False, False, True, False]


def test_the_browser_hears_sounds_where_they_were_recorded(heard):
    after, starts, sounds = heard.run(DECODED)
    assert sounds == len(starts) == 4  # a hi-hat, a piano's note, a bass's, one of strings
    assert after == 480  # the silence after the last one
    assert all(-5 <= start < 500 for start in starts)


def test_sound_that_cannot_be_decoded_is_a_sentence(browser, page, tmp_path):
    text = re.sub(r'"ogg":"[^"]{40}', lambda found: found[0][:-40] + "A" * 40, page.read_text("utf-8"))
    (tmp_path / "broken.html").write_text(text, encoding="utf-8")
    browser.open(tmp_path / "broken.html")
    heard = Heard(browser)
    heard.until("!document.getElementById('problem').hidden")
    assert "cannot decode Ogg Vorbis" in heard.run("document.getElementById('problem').textContent")
    assert heard.run("document.getElementById('problem').getAttribute('role')") == "alert"


def test_a_browser_that_gives_no_sound_says_so(heard):
    heard.run(
        """(() => {
          AudioContext.prototype.resume = () => new Promise(() => {});
          Object.defineProperty(AudioContext.prototype, 'state', { get: () => 'suspended' });
        })()"""
    )
    heard.click(".play")
    heard.until("!document.getElementById('problem').hidden")
    assert "gives no sound" in heard.run("document.getElementById('problem').textContent")
    assert heard.run("document.querySelectorAll('article.playing').length") == 0


SCREENS = {
    "desktop": {"width": 1280, "height": 900, "scale": 1, "dark": False},
    "dark": {"width": 1280, "height": 900, "scale": 1, "dark": True},
    "phone": {"width": 360, "height": 780, "scale": 2, "dark": False},
}


@pytest.mark.parametrize("screen", SCREENS)
def test_it_fits_the_screen(heard, shots, screen):
    asked = SCREENS[screen]
    width, height, scale = asked["width"], asked["height"], asked["scale"]
    heard.press("ArrowRight")
    path = shots / f"{type(heard.browser).__name__.lower()}-{screen}.png"
    heard.screenshot(path, **asked)
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (width * scale, height * scale)
    assert heard.run("innerWidth") == width
    assert heard.run("document.documentElement.scrollWidth") <= width  # nothing to scroll sideways
    ground = heard.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(18, 20, 24)" if asked["dark"] else "rgb(243, 244, 247)")
    # Everything to press is big enough for a finger: WCAG 2.2's 24 pixels.
    assert heard.run(SMALLEST) >= 24
