"""Cells that a unit takes over from others."""

import keras
from keras import ops

from msw2.config.prior import HEAD
from msw2.models.attention import NEVER, Distances

COPIERS = 4  # heads
SILENT = 3.0  # how far below 0 the drafts' logits of silent cells are
_FIRST_GAIN = 0.25  # of each head: a look at what is given tells, from the first step on


@keras.saving.register_keras_serializable("msw2")
class Copies(keras.layers.Layer):
    """Takes over cells from other units of the same track: the drafts of those that are looked at, summed.

    A perceptron would have to carry a unit's cells through the tokens' few numbers (See et al. 2017 copy words in this
    way). Each head may also look at nothing. How much of its sum is taken is learnt with the rest.

    Args:
        heads: number of heads.
    """

    def __init__(self, heads: int = COPIERS, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self.heads = heads
        self.project, self.gain, self.distances = None, None, None

    def build(self, input_shape):
        """Makes queries, keys and gains of tokens, and the numbers of the distances."""
        shape = input_shape[0]
        self.project = keras.layers.Dense(2 * self.heads * HEAD, use_bias=False, name="project")
        self.gain = keras.layers.Dense(
            self.heads, bias_initializer=keras.initializers.Constant(_FIRST_GAIN), name="gain"
        )
        self.distances = Distances(self.heads, name="distances")
        self.project.build(shape)
        self.gain.build(shape)
        self.distances.build(None)

    def call(self, inputs):
        """Maps tokens, drafts [song, unit, track, cell], positions and segments to logits like the drafts."""
        tokens, draft, position, segment = inputs
        songs, units, tracks = ops.shape(tokens)[0], ops.shape(tokens)[1], tokens.shape[2]
        made = ops.reshape(self.project(tokens), (songs, units, tracks, 2, self.heads, HEAD))
        queries, keys = ops.unstack(ops.transpose(made, (3, 0, 2, 4, 1, 5)), num=2, axis=0)
        seen = ops.matmul(queries * HEAD**-0.5, ops.swapaxes(keys, -1, -2))  # [song, track, head, unit, unit]
        seen = ops.cast(seen, "float32") + self.distances([position, segment])[:, None]
        itself = ops.where(position[:, None, :] == position[:, :, None], NEVER, 0.0)
        seen = seen + itself[:, None, None]
        nothing = ops.zeros_like(seen[..., :1])
        weights = ops.softmax(ops.concatenate([seen, nothing], axis=-1), axis=-1)[..., :-1]
        gains = ops.transpose(self.gain(tokens), (0, 2, 3, 1))  # [song, track, head, unit]
        weights = ops.sum(ops.cast(weights, gains.dtype) * gains[..., None], axis=2)
        sounding = ops.cast(draft + SILENT, weights.dtype)  # about 0 where a cell is silent
        copied = ops.matmul(weights, ops.transpose(sounding, (0, 2, 1, 3)))
        return ops.transpose(copied, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape):
        """Returns the drafts' shape."""
        return input_shape[1]

    def get_config(self):
        """Returns the arguments that rebuild the layer."""
        return {**super().get_config(), "heads": self.heads}
