"""Songs asked of a server, over a transport that is played by the functions of the test."""

import numpy as np
import pytest

from msw2.music.grid import Grid
from msw2.serving import client
from msw2.serving.client import decode, encode, generate, restore
from msw2.serving.contract import phrase_of_png, png_of_phrase
from msw2.serving.transport import RequestError

SMALL = Grid(bars=2, steps=4, pitches=3, lowest_pitch=60, beat_resolution=1)
TINY = np.random.default_rng(4).random((37, 2, 4, 3, 5)) < 0.5
URL = "http://there"


@pytest.fixture
def asked(monkeypatch):
    """What the transport was asked: (signature, inputs, output, timeout). It answers as the signatures do, oddly."""
    asked = []

    def ask(url, signature, inputs, output, timeout):
        assert url == URL
        asked.append((signature, inputs, output, timeout))
        if signature == "generate_png":
            return [png_of_phrase(TINY[seed]) for seed in inputs["seed"]]
        if signature == "decode_png":
            return [png_of_phrase(TINY[int(latent[0, 0])]) for latent in inputs["latent"]]
        phrases = [phrase_of_png(content, SMALL) for content in inputs["png_bytes"].tolist()]
        if signature == "encode_png":
            return np.float32([phrase.sum(axis=(1, 2)) for phrase in phrases])
        assert signature == "restore_png"
        return [png_of_phrase(~phrase) for phrase in phrases]

    monkeypatch.setattr(client, "ask", ask)
    return asked


def test_generating_asks_for_sixteen_phrases_at_a_time(asked):
    found = generate(URL, SMALL, seeds=list(range(36, -1, -1)), temperature=0.5, timeout=3.0)
    np.testing.assert_array_equal(found, TINY[::-1])
    assert [len(inputs["seed"]) for _, inputs, *_ in asked] == [16, 16, 5]
    signature, inputs, output, timeout = asked[0]
    assert (signature, output, timeout) == ("generate_png", "png_bytes", 3.0)
    assert inputs["seed"].dtype == np.int64
    assert (inputs["temperature"].dtype, set(inputs["temperature"].tolist())) == (np.float32, {0.5})


def test_restoring_sends_images_and_reads_images(asked):
    np.testing.assert_array_equal(restore(URL, SMALL, TINY), ~TINY)
    assert [len(inputs["png_bytes"]) for _, inputs, *_ in asked] == [16, 16, 5]


def test_latents_go_both_ways(asked):
    np.testing.assert_array_equal(encode(URL, TINY), TINY.sum(axis=(2, 3)))
    latents = np.broadcast_to(np.arange(37.0)[:, None, None], (37, 2, 3))
    np.testing.assert_array_equal(decode(URL, SMALL, latents), TINY)
    assert asked[-1][1]["latent"].dtype == np.float32


def test_no_seeds_give_no_phrases(asked):
    assert generate(URL, SMALL, seeds=[]).shape == (0, 2, 4, 3, 5)
    assert asked == []


def test_other_answers_are_refused(monkeypatch):
    monkeypatch.setattr(client, "ask", lambda *_: [png_of_phrase(TINY[0, :1])])
    with pytest.raises(
        RequestError, match="other phrases than expected: phrases are PNG images of 8 x 3 pixels"
    ):
        generate(URL, SMALL, seeds=[1])
    monkeypatch.setattr(client, "ask", lambda *_: np.zeros((1, 2), np.float32))
    with pytest.raises(RequestError, match=r"latents that are not \[phrase, unit, latent\]"):
        encode(URL, TINY[:1])
