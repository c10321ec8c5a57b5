"""The terms of the losses, as pure functions; all compute and return float32."""

import keras
from keras import ops

THRESHOLD = 0.5  # Section V.B: a cell is on where the refiner says so at least as likely as not


def gaussian_nll(target, output):
    """Mean squared error over batch, steps and features: -ln q of Eq. 6 as released.

    Args:
        target: float [batch, step, feature]; for a BVAE -1 (silent) or +1.
        output: the same shape and scale.
    """
    return ops.mean(ops.square(ops.cast(output, "float32") - ops.cast(target, "float32")))


def bernoulli_nll(target, logits):
    """Binary cross-entropy in nats, summed over the cells of a unit, mean over the batch.

    Args:
        target: float [batch, step, pitch], -1 (silent) or +1.
        logits: the same shape; any real number.
    """
    target, logits = ops.cast(target, "float32"), ops.cast(logits, "float32")
    # softplus(-x) where the cell sounds, softplus(x) where it is silent; exact for large logits
    return ops.mean(ops.sum(ops.softplus(-target * logits), axis=(1, 2)))


def kl_divergence(moments):
    """KL(N(mean, exp(s)) || N(0, 1)) in nats, averaged over batch and latent units, as released (Eq. 6).

    Args:
        moments: float [batch, 2 x latent]: mean, then s, read as a log-variance.
    """
    mean, s = ops.split(ops.cast(moments, "float32"), 2, axis=-1)
    return -0.5 * ops.mean(1.0 + s - ops.square(mean) - ops.exp(s))


def refine_loss(weight: float, output: str = "sigmoid"):
    """Returns a refiner's loss against (bar + 1) / 2 (Eq. 3), a mean over cells, sounding ones weighted.

    Args:
        weight: of a sounding cell, beside 1 for a silent one.
        output: `refine_output` of the config: binary cross-entropy (Eq. 4) for `sigmoid`, else squared error.
            (What the history calls the loss of a refiner "in bars" also has the L2 of its kernels.)
    """

    def loss(bar, probability):
        target = 0.5 * (bar + 1.0)
        weights = 1.0 + (weight - 1.0) * target
        if output == "sigmoid":
            return ops.mean(weights * ops.binary_crossentropy(target, probability))
        return ops.mean(weights * ops.square(target - probability))

    return loss


def refine_accuracy() -> keras.metrics.Metric:
    """Returns the share of the cells, 0..1, that are right at the threshold of 0.5 (Fig. 7)."""

    def right(bar, probability):
        return ops.mean(ops.cast(ops.equal(bar > 0, probability >= THRESHOLD), "float32"), axis=(1, 2))

    return keras.metrics.MeanMetricWrapper(right, name="accuracy")
