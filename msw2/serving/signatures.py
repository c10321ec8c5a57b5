"""The signatures of the SavedModel: what each takes, what it answers, and what it refuses."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from msw2.inference.sampling import PhraseFunctions
from msw2.serving.checks import checked, heat, require
from msw2.serving.contract import AS_NOTES, AS_PNG, BARS, LATENT, NOTES, PIANOROLL, PNG, SEED, TEMPERATURE
from msw2.serving.forms import Form, forms

DEFAULT = "serving_default"  # `generate` under the name that is taken where a request names none


def signatures(functions: PhraseFunctions) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
    """Returns the twelve signatures by name: a function that answers with a dictionary, and its inputs.

    They are `generate`, `encode`, `decode` and `restore`, in each form of phrases. Each function refuses inputs of
    other shapes: TensorFlow's C++ session does not compare them with the signature. `song_signatures` has those of
    songs.
    """
    kinds = _Kinds(functions)
    found = {}
    for form in forms(functions.config.grid):
        for name, (function, specs) in kinds.of_form(form).items():
            found[name + form.suffix] = checked(function, specs), specs
    return found


def example_inputs(functions: PhraseFunctions, rows: int) -> dict[str, dict[str, np.ndarray]]:
    """Returns inputs for every signature, `serving_default` too, each row another."""
    rng = np.random.default_rng(0)
    cells = tf.constant(rng.random((rows, *functions.phrase_shape)) < 0.02)  # about as full as music is
    latent = {LATENT: rng.standard_normal((rows, *functions.latent_shape)).astype(np.float32)}
    drawn = {SEED: np.arange(rows), TEMPERATURE: np.linspace(0.5, 1, rows, dtype=np.float32)}
    inputs = {DEFAULT: drawn}
    for form in forms(functions.config.grid):
        given = written(form, cells)
        of_form = {"generate": drawn, "encode": given, "decode": latent, "restore": given}
        inputs |= {name + form.suffix: arrays for name, arrays in of_form.items()}
    return inputs


def written(form: Form, cells: tf.Tensor) -> dict[str, np.ndarray]:
    """Returns phrases or songs, bool [phrase, bar, step, pitch, track], as inputs of a form."""
    given = {name: value.numpy() for name, value in form.write(cells).items()}
    given[BARS] = np.full(len(cells), cells.shape[1], np.int32)
    arrays = {spec.name: given[spec.name] for spec in form.specs}
    return {name: each.astype(bytes) if each.dtype == object else each for name, each in arrays.items()}


def wrong_inputs(inputs: dict[str, dict[str, np.ndarray]]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Returns requests that must be refused: signature and inputs, made of what `example_inputs` returns."""
    drawn, latent = inputs["generate"], inputs["decode"][LATENT]
    of_notes, of_png = "restore" + AS_NOTES, "restore" + AS_PNG
    roll, notes, png = inputs["restore"][PIANOROLL], inputs[of_notes][NOTES], inputs[of_png][PNG]
    wrong = {
        ("encode", PIANOROLL): (np.concatenate([roll, roll], axis=1), np.moveaxis(roll, -1, 1)),
        ("restore", PIANOROLL): (np.concatenate([roll, roll], axis=1), roll[:, :1], roll[0]),
        ("decode", LATENT): (latent[..., :-1], latent[0], np.full_like(latent, np.nan)),
        (of_notes, NOTES): (notes + np.int32([0, 0, 0, 5]), 1000 * notes, notes[..., :3]),
        (of_png, PNG): (
            png[:, None],
            np.array([text[: len(text) // 2] for text in png]),
            np.array([b"GIF89a"]),
        ),
        ("generate", SEED): (drawn[SEED][:1], drawn[SEED][:, None]),
        ("generate", TEMPERATURE): np.float32([[heat] * len(roll) for heat in (np.nan, np.inf, -0.5, 1e30)]),
    }
    return [(name, inputs[name] | {key: array}) for (name, key), arrays in wrong.items() for array in arrays]


class _Kinds:
    """What all forms share. Each function is traced once, and so stored once."""

    def __init__(self, functions: PhraseFunctions):
        self._latent = tf.TensorSpec([None, *functions.latent_shape], tf.float32, LATENT)
        self._drawn = [
            tf.TensorSpec([None], tf.int64, SEED),
            tf.TensorSpec([None], tf.float32, TEMPERATURE),
        ]
        roll = tf.TensorSpec([None, *functions.phrase_shape], tf.bool)
        self._generate = tf.function(functions.generate, self._drawn)
        self._encode = tf.function(functions.encode, [roll])
        self._decode = tf.function(functions.decode, [self._latent])
        self._restore = tf.function(functions.restore, [roll])

    def of_form(self, form: Form) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
        """Returns the four signatures of a form, before inputs of other shapes are refused."""

        def generate(seed, temperature):
            return form.write(self._generate(seed, heat(temperature)))

        def decode(latent):
            finite = tf.math.is_finite(latent)
            return form.write(self._decode(require(finite, "latents are finite numbers", latent)))

        return {
            "generate": (generate, self._drawn),
            "encode": (lambda phrases: {LATENT: self._encode(form.read(phrases))}, list(form.specs)),
            "decode": (decode, [self._latent]),
            "restore": (lambda phrases: form.write(self._restore(form.read(phrases))), list(form.specs)),
        }
