"""The page's colours can be read: contrasts of WCAG 2.1, level AA, in light and in dark."""

import re

import pytest

from msw2.music.tracks import TRACKS
from msw2.page.document import asset

TEXT, SHAPE = 4.5, 3.0  # success criteria 1.4.3 and 1.4.11


def rules(dark, name="page.css"):
    """Returns the custom properties of the style, name -> #rrggbb."""
    light_part, dark_part = asset(name).split("@media (prefers-color-scheme: dark)", 1)
    found = re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light_part)
    return dict(found + (re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark_part) if dark else []))


def contrast(one, other):
    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *[(front, back, TEXT) for front in ("ink", "soft", "accent") for back in ("ground", "card", "paper")],
        ("on-accent", "accent", TEXT),
        ("card", "ink", TEXT),
        ("edge", "card", SHAPE),
        ("cursor", "paper", SHAPE),
    ],
)
def test_colours_stand_out(dark, front, back, least):
    colours = rules(dark)
    assert contrast(colours[front], colours[back]) >= least


@pytest.mark.parametrize("track", TRACKS, ids=lambda track: track.name)
def test_notes_stand_out(track):
    assert contrast(track.colour, rules(dark=False)["paper"]) >= SHAPE
    assert contrast(track.colour_on_dark, rules(dark=True)["paper"]) >= SHAPE


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *[
            (front, back, TEXT)
            for front in ("text", "quiet", "accent", "warning")
            for back in ("page", "card")
        ],
        ("on-accent", "accent", TEXT),
        ("line", "card", SHAPE),
    ],
)
def test_colours_of_the_listening_test_stand_out(dark, front, back, least):
    colours = rules(dark, "listening.css")
    assert contrast(colours[front], colours[back]) >= least
