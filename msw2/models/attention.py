"""Attention along the bars of each track, and across the tracks of each bar (Vaswani et al. 2017)."""

import keras
import numpy as np
from keras import ops

from msw2.config.prior import HEAD

REACH = 64  # units: greater distances count as this one
_AT_FIRST = -3.0  # logit of the distances that a head does not look at, before training
NEVER = -1e9  # logit of a unit that may not be looked at


class _Attention(keras.layers.Layer):
    """Multi-head attention. Its kinds say which tokens see which.

    Queries are scaled by the root of a head's size (Vaswani et al. 2017, Eq. 1). The weights are those of all tracks.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})  # distances stay in float32
        self.project, self.out = None, None

    def build(self, input_shape):
        """Makes the projections to queries, keys and values, and of what was seen."""
        shape = input_shape[0] if isinstance(input_shape[0], (tuple, list)) else input_shape
        width = shape[-1]
        self.heads = width // HEAD
        self.project = keras.layers.Dense(3 * width, use_bias=False, name="project")
        self.out = keras.layers.Dense(width, name="out")
        self.project.build(shape)
        self.out.build(shape)

    def _projected(self, tokens, order: tuple[int, ...]):
        """Returns queries, keys and values; `order` of the axes [song, unit, track, kind, head, number]."""
        songs, units, tracks = ops.shape(tokens)[0], ops.shape(tokens)[1], tokens.shape[2]
        made = ops.reshape(self.project(tokens), (songs, units, tracks, 3, self.heads, HEAD))
        made = ops.transpose(made, order)
        return made[0] * HEAD**-0.5, made[1], made[2]

    def _seen(self, queries, keys, values, bias, order: tuple[int, ...]):
        """Returns what is seen; `order` brings its axes to [song, unit, track, head, number]."""
        weights = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
        if bias is not None:
            weights = weights + bias
        seen = ops.transpose(ops.matmul(ops.softmax(weights, axis=-1), values), order)
        songs, units, tracks = ops.shape(seen)[0], ops.shape(seen)[1], seen.shape[2]
        return self.out(ops.reshape(seen, (songs, units, tracks, self.heads * HEAD)))


@keras.saving.register_keras_serializable("msw2")
class BarAttention(_Attention):
    """Each unit of a track looks at all units of this track in its segment, the more by what lies between them.

    See `Distances` for what it looks at before training.
    """

    def build(self, input_shape):
        """Makes the projections, and the numbers of the distances."""
        super().build(input_shape)
        self.distances = Distances(self.heads, name="distances")
        self.distances.build(None)

    def call(self, inputs):
        """Maps tokens [song, unit, track, width], positions and segments, int32 [song, unit], to tokens."""
        tokens, position, segment = inputs
        queries, keys, values = self._projected(tokens, (3, 0, 2, 4, 1, 5))
        bias = ops.cast(self.distances([position, segment])[:, None], queries.dtype)
        return self._seen(queries, keys, values, bias, (0, 3, 1, 2, 4))

    def compute_output_shape(self, input_shape):
        """Returns the tokens' shape."""
        return input_shape[0]


@keras.saving.register_keras_serializable("msw2")
class Distances(keras.layers.Layer):
    """How much each head looks at a unit by its distance, as learnt logits (Raffel et al. 2020).

    At first one head of four looks at all other units, one at every second, one at every fourth, and one at every
    eighth: songs repeat at such distances. No unit of another segment is looked at.

    Args:
        heads: number of heads.
    """

    def __init__(self, heads: int, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.heads = heads

    def build(self, input_shape):
        """Makes a logit for each head and distance, float32 [head, -REACH..REACH]."""
        away = np.abs(np.arange(-REACH, REACH + 1))
        first = [
            np.where((away % 2 ** (head % 4) == 0) & (away > 0), 0.0, _AT_FIRST) for head in range(self.heads)
        ]
        self.logits = self.add_weight(name="logits", shape=(self.heads, 2 * REACH + 1), initializer="zeros")
        self.logits.assign(np.stack(first))

    def call(self, inputs):
        """Maps positions and segments, int32 [song, unit], to float32 [song, head, unit, unit]."""
        position, segment = inputs
        apart = ops.clip(position[:, None, :] - position[:, :, None], -REACH, REACH) + REACH
        found = ops.moveaxis(ops.take(ops.transpose(self.logits), apart, axis=0), -1, 1)
        return found + ops.where(segment[:, None, :] != segment[:, :, None], NEVER, 0.0)[:, None]

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "heads": self.heads}


@keras.saving.register_keras_serializable("msw2")
class TrackAttention(_Attention):
    """Each track of a unit looks at all tracks of this unit."""

    def call(self, tokens):
        """Maps tokens [song, unit, track, width] to tokens."""
        queries, keys, values = self._projected(tokens, (3, 0, 1, 4, 2, 5))
        return self._seen(queries, keys, values, None, (0, 1, 3, 2, 4))

    def compute_output_shape(self, input_shape):
        """Returns the tokens' shape."""
        return input_shape
