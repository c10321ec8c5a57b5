"""The residual unit of the refine network "in bars" (Fig. 2), in a form that a CPU computes fast."""

import keras
from keras import ops

KERNEL = (3, 12)  # steps x pitches; Section IV.A: (1, 3, 12)
TAPS = KERNEL[0] * KERNEL[1]
FILTERS = 64  # released
DECAY = 1e-4  # released: L2 of the kernels
MOMENTUM, EPSILON = 0.99, 1e-3  # of batch normalisation; released: Keras's defaults


def _shifted(x, by: int, axis: int):
    """Returns y with y[i] = x[i + by] along an axis, 0 beyond the ends."""
    size = x.shape[axis]
    by = max(-size, min(by, size))
    kept, pad = [slice(None)] * len(x.shape), [[0, 0]] * len(x.shape)
    kept[axis] = slice(by, None) if by > 0 else slice(0, size + by)
    pad[axis] = [0, by] if by > 0 else [-by, 0]
    return ops.pad(x[tuple(kept)], pad) if by else x


def _offsets(size: int, sign: int) -> list[int]:
    """Returns where the taps of a kernel look, as TensorFlow pads an even kernel for the same size."""
    return [sign * (tap - (size - 1) // 2) for tap in range(size)]


def _spread(x, sign: int):
    steps, pitches = KERNEL
    x = ops.stack([_shifted(x, by, 2) for by in _offsets(pitches, sign)])
    return ops.stack([_shifted(x, by, 2) for by in _offsets(steps, sign)])


def _gathered(taps, sign: int):
    steps, pitches = KERNEL
    rows = ops.unstack(taps, steps)
    rows = sum(_shifted(row, by, 2) for row, by in zip(rows, _offsets(steps, sign), strict=True))
    columns = ops.unstack(rows, pitches)
    return sum(_shifted(column, by, 2) for column, by in zip(columns, _offsets(pitches, sign), strict=True))


@ops.custom_gradient
def unfold(x):
    """Maps pictures [batch, step, pitch] to what each tap of the kernel sees, [3, 12, batch, step, pitch]."""
    return _spread(x, 1), lambda *args, upstream=None: _gathered(
        args[0] if upstream is None else upstream, -1
    )


@ops.custom_gradient
def fold(taps):
    """Sums [3, 12, batch, step, pitch], each tap's share moved to where it belongs, to [batch, step, pitch]."""
    return _gathered(taps, 1), lambda *args, upstream=None: _spread(
        args[0] if upstream is None else upstream, -1
    )


@keras.saving.register_keras_serializable("msw2")
class ResidualUnit(keras.layers.Layer):
    """x + Conv(ReLU(BN(Conv(ReLU(BN(x)))))): kernels of 3 x 12, 64 filters and then 1, "same" padding.

    The weights are those of the two batch normalisations and two convolutions, 4,933 with the four moving
    statistics. The maths is the same in another order, because convolutions from and to one channel are slow, and so
    are statistics of 64 filters. A convolution is a matrix product with 36 shifted pictures. The mean and variance of
    the first one's output follow from those pictures' own (36 x 36) covariance. So the second normalisation is part
    of its kernel. The unit computes in float32 under every precision policy.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.normalise = keras.layers.BatchNormalization(
            momentum=MOMENTUM, epsilon=EPSILON, dtype="float32", name="normalise"
        )

    def build(self, input_shape):
        """Makes the weights."""
        self.normalise.build((*input_shape, 1))
        kernel = {"initializer": "he_normal", "regularizer": keras.regularizers.L2(DECAY)}
        self.kernel_1 = self.add_weight(name="kernel_1", shape=(*KERNEL, 1, FILTERS), **kernel)
        self.bias_1 = self.add_weight(name="bias_1", shape=(FILTERS,), initializer="zeros")
        self.gamma = self.add_weight(name="gamma", shape=(FILTERS,), initializer="ones")
        self.beta = self.add_weight(name="beta", shape=(FILTERS,), initializer="zeros")
        self.moving_mean = self.add_weight(
            name="moving_mean", shape=(FILTERS,), initializer="zeros", trainable=False
        )
        self.moving_variance = self.add_weight(
            name="moving_variance", shape=(FILTERS,), initializer="ones", trainable=False
        )
        self.kernel_2 = self.add_weight(name="kernel_2", shape=(*KERNEL, FILTERS, 1), **kernel)
        self.bias_2 = self.add_weight(name="bias_2", shape=(1,), initializer="zeros")

    def call(self, x, training=False):
        """Maps pictures, float32 [batch, step, pitch], to the same shape."""
        active = ops.relu(self.normalise(x[..., None], training=training)[..., 0])
        seen = ops.reshape(unfold(active), (TAPS, -1))
        seen = ops.concatenate([seen, ops.ones_like(seen[:1])])  # the row that a bias is the weight of
        kernel = ops.transpose(ops.reshape(self.kernel_1, (TAPS, FILTERS)))
        mean, variance = self._statistics(kernel, seen, training)
        scale = self.gamma * ops.rsqrt(variance + EPSILON)
        offset = self.beta + (self.bias_1 - mean) * scale
        folded = ops.concatenate([kernel * scale[:, None], offset[:, None]], axis=1)
        hidden = ops.relu(ops.matmul(folded, seen))
        made = ops.matmul(ops.reshape(self.kernel_2, (TAPS, FILTERS)), hidden)
        return x + fold(ops.reshape(made, (*KERNEL, -1, *x.shape[1:]))) + self.bias_2

    def _statistics(self, kernel, seen, training):
        """Returns mean and variance of each filter of the first convolution, of the batch or the moving ones."""
        if not (training and self.trainable):
            return self.moving_mean, self.moving_variance
        moments = ops.matmul(seen, ops.transpose(seen)) / ops.cast(ops.shape(seen)[1], "float32")
        means = moments[:TAPS, TAPS:]
        covariance = moments[:TAPS, :TAPS] - means * ops.transpose(means)
        mean = ops.matmul(kernel, means)[:, 0] + self.bias_1
        variance = ops.relu(ops.sum(ops.matmul(kernel, covariance) * kernel, axis=1))
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(MOMENTUM * moving + (1.0 - MOMENTUM) * value)
        return mean, variance
