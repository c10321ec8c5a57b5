import dataclasses

from msw2.benchmarks.flops import bvae_forward, bvae_training, lstm
from msw2.config import DEMO, PAPER, TUNED

SMALL = {"steps": 8, "beat_resolution": 2, "pitches": 5, "bvae_hidden": 3, "bvae_latent": 2}


def test_an_lstm_by_hand():
    # 7 steps; [1, 5] x [5, 12] and [1, 3] x [3, 12] in each: 2 * (60 + 36) operations.
    assert lstm(7, 5, 3) == 7 * 192
    # The same input in every step: its [1, 4] x [4, 12] once.
    assert lstm(7, 0, 3, repeated=4) == 2 * 48 + 7 * 2 * 36


def test_a_small_bvae_of_the_paper_by_hand():
    encoder = 8 * 2 * (5 * 12 + 3 * 12)
    moments = 2 * (2 * 3 * 2)
    decoder = 2 * 2 * 12 + 8 * 2 * 3 * 12
    output = 8 * 2 * (3 * 20 + 5 * 20)
    config = dataclasses.replace(PAPER, **SMALL)
    assert bvae_forward(config) == encoder + moments + decoder + output == 4744
    assert bvae_training(config) == 3 * 4744


def test_a_phrase_has_the_steps_of_its_bars():
    config = dataclasses.replace(PAPER, **SMALL)
    phrase = dataclasses.replace(config, unit="phrase")
    # All but the moments and the product of the repeated latent vector is a step's.
    once = 2 * (2 * 3 * 2) + 2 * 2 * 12
    assert bvae_forward(phrase) == 4 * (bvae_forward(config) - once) + once


def test_a_small_tuned_bvae_by_hand():
    encoder = 8 * 2 * (5 * 12 + 3 * 12)
    moments = 2 * (2 * 8 * 3 * 2)
    draft = 2 * 2 * (8 * 5)  # [1, 2] x [2, 40]
    decoder = 8 * 2 * (5 * 12 + 3 * 12)  # reads another step of the draft in each
    output = 8 * 2 * 3 * 5
    assert bvae_forward(dataclasses.replace(TUNED, **SMALL)) == encoder + moments + draft + decoder + output


def test_a_decoder_that_repeats_the_vector_multiplies_it_once():
    config = dataclasses.replace(DEMO, **SMALL, decoding="latent")
    drafting = 2 * 2 * (8 * 5) + 8 * 2 * (5 * 12)
    assert (
        bvae_forward(dataclasses.replace(config, decoding="draft")) - bvae_forward(config)
        == drafting - 2 * 2 * 12
    )
