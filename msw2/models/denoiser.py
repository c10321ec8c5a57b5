"""The network of the diffusion prior: which cells of a band's bars sound, told from noisy codes of them.

A transformer (Vaswani et al. 2017) whose tokens are the units of each track. It looks along the bars and across the
tracks in turn. What is not attention is not shared between tracks, as the BVAEs are not.
"""

import keras
import numpy as np
from keras import ops

from msw2.config.prior import HEAD
from msw2.models.attention import REACH, BarAttention, TrackAttention
from msw2.models.copies import COPIERS, Copies
from msw2.models.per_track import PerTrack

WIDENING = 4  # of the perceptron between two attentions
PLACES = 2  # numbers that say where in its song a unit is
# Of the waves that say how strong the noise is, in its logarithm.
_FREQUENCIES = np.exp(np.linspace(np.log(0.25), np.log(16.0), 16)).astype(np.float32)


def build_denoiser(
    *, tracks: int, code: int, cells: int, width: int, layers: int, seed: int = 0
) -> keras.Model:
    """Builds the network with fresh weights. At first it answers with the draft, and a little of other units' drafts.

    Args:
        tracks: of a band.
        code: size of a track's code.
        cells: of a track's unit.
        width: of a token, a multiple of `HEAD`.
        layers: attentions, along the bars and across the tracks in turn, each with a perceptron.
        seed: of the weights.

    Returns:
        A model from a dictionary to logits that cells sound, float32 [song, unit, track, cell]. The dictionary has

        * `codes`, float32 [song, unit, track, code], scaled to deviation 1;
        * `draft`, float32 [song, unit, track, cell], logits;
        * `log_sigma`, float32 [song, unit], the natural logarithm of the noise's deviation;
        * `given`, float32 [song, unit, track], 1 where a code is without noise, else 0;
        * `place`, float32 [song, unit, PLACES], see `diffusion.places`;
        * `position`, int32 [song, unit], the unit's number; only differences count;
        * `segment`, int32 [song, unit]; only units of one segment see each other.
    """
    keras.utils.set_random_seed(seed)  # Keras's initialisers draw from the global one
    inputs = {
        "codes": keras.Input((None, tracks, code), name="codes"),
        "draft": keras.Input((None, tracks, cells), name="draft"),
        "log_sigma": keras.Input((None,), name="log_sigma"),
        "given": keras.Input((None, tracks), name="given"),
        "place": keras.Input((None, PLACES), name="place"),
        "position": keras.Input((None,), dtype="int32", name="position"),
        "segment": keras.Input((None,), dtype="int32", name="segment"),
    }
    known = Known(name="known")([inputs[name] for name in ("log_sigma", "given", "place")])
    known = keras.layers.Dense(width, activation="relu", name="known_hidden")(known)
    probability = keras.layers.Activation("sigmoid", name="probability")(inputs["draft"])
    tokens = keras.layers.Add(name="tokens")(
        [
            PerTrack(width, name="from_codes")(inputs["codes"]),
            PerTrack(width, name="from_draft")(probability),
            keras.layers.Dense(width, name="from_known")(known),
        ]
    )
    for index in range(layers):
        tokens = _block(tokens, inputs, index)
    tokens = keras.layers.LayerNormalization(name="scaled")(tokens)
    correction = PerTrack(cells, zeros=True, name="correction")(tokens)
    copied = Copies(name="copies")([tokens, *(inputs[name] for name in ("draft", "position", "segment"))])
    logits = keras.layers.Add(dtype="float32", name="cells")([correction, copied, inputs["draft"]])
    return keras.Model(inputs, logits, name="denoiser")


def weight_shapes(*, tracks: int, code: int, cells: int, width: int, layers: int) -> list[tuple[int, ...]]:
    """Returns the shapes of the network's weights in Keras's order, which files keep; arguments as above."""
    known = 2 * len(_FREQUENCIES) + PLACES + 2 * tracks + 1
    hidden = WIDENING * width

    def per_track(size: int, made: int) -> list[tuple[int, ...]]:
        return [(tracks, size, made), (tracks, made)]

    shapes = [(known, width), (width,), *per_track(code, width), *per_track(cells, width)]
    shapes += [(width, width), (width,)]
    for index in range(layers):
        shapes += [(width,), (width,)]
        shapes += [(width, 3 * width), (width, width), (width,)]
        shapes += [(width // HEAD, 2 * REACH + 1)] if index % 2 == 0 else []
        shapes += [(width,), (width,)]
        shapes += [*per_track(width, hidden), *per_track(hidden, width)]
    shapes += [(width,), (width,), *per_track(width, cells)]
    return [*shapes, (width, 2 * COPIERS * HEAD), (width, COPIERS), (COPIERS,), (COPIERS, 2 * REACH + 1)]


def _block(tokens, inputs: dict, index: int):
    """Adds an attention and then a perceptron to tokens, float [song, unit, track, width]."""
    width = tokens.shape[-1]
    scaled = keras.layers.LayerNormalization(name=f"attention_{index}_scaled")(tokens)
    if index % 2 == 0:
        seen = BarAttention(name=f"attention_{index}")([scaled, inputs["position"], inputs["segment"]])
    else:
        seen = TrackAttention(name=f"attention_{index}")(scaled)
    tokens = keras.layers.Add(name=f"attention_{index}_added")([tokens, seen])
    scaled = keras.layers.LayerNormalization(name=f"perceptron_{index}_scaled")(tokens)
    hidden = PerTrack(WIDENING * width, activation="relu", name=f"perceptron_{index}_hidden")(scaled)
    made = PerTrack(width, name=f"perceptron_{index}")(hidden)
    return keras.layers.Add(name=f"perceptron_{index}_added")([tokens, made])


@keras.saving.register_keras_serializable("msw2")
class Known(keras.layers.Layer):
    """Puts together what a token knows beside its code: noise, place, what is given, which track it is."""

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, inputs):
        """Maps noise [song, unit], given [song, unit, track], place [song, unit, 2] to [song, unit, track, feature]."""
        log_sigma, given, place = inputs
        tracks = given.shape[-1]
        angles = log_sigma[..., None] * _FREQUENCIES
        shared = ops.concatenate([ops.cos(angles), ops.sin(angles), place, given], axis=-1)
        shared = ops.repeat(shared[:, :, None], tracks, axis=2)
        which = ops.zeros_like(given)[..., None] + ops.eye(tracks)
        return ops.concatenate([shared, which, given[..., None]], axis=-1)
