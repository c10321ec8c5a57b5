"""The SavedModel of a run without fusion, whose MFG-VAE has no weights."""

import dataclasses
import json

import numpy as np

from msw2.config import SMOKE
from msw2.models.sandwich import PARTS, build_sandwich
from msw2.serving import export
from msw2.serving.export import export_run
from msw2.training.prior import fit_prior
from msw2.training.runs import Run

CONFIG = dataclasses.replace(
    SMOKE,
    fusion="none",
    refine_threshold="half",
    encoder_states="last",
    bars=2,
    steps=4,
    pitches=6,
    lowest_pitch=40,
    beat_resolution=1,
    bvae_hidden=7,
    bvae_latent=3,
)


def test_every_signature_answers_as_the_model_does(tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run", CONFIG)
    sandwich = build_sandwich(CONFIG)
    for name in PARTS:
        run.save_weights(sandwich.get_layer(name), name)
    latents = 3 * np.random.default_rng(0).standard_normal((9, 2, 15), np.float32)
    fit_prior(CONFIG, latents).save(run.prior)
    kept, ask = [], export.ask
    monkeypatch.setattr(
        export,
        "ask",
        lambda *given: kept.extend(zip(given[1], ask(*given), strict=True)) or [a for _, a in kept],
    )
    path = export_run(run)  # holds what a process of its own answers against the model
    assert json.loads((path / "assets.extra" / "msw2.json").read_text())["latent"] == [2, 15]
    answers = {
        name: answer
        for (name, given), answer in kept
        if len(next(iter(given.values()))) == 5 and isinstance(answer, dict)
    }
    assert answers["encode"]["latent"].shape == (5, 2, 15)
    for name in ("generate", "decode", "restore", "serving_default"):
        assert len({phrase.tobytes() for phrase in answers[name]["pianoroll"]}) == 5
    assert len(set(answers["restore_png"]["png_bytes"].tolist())) == 5
