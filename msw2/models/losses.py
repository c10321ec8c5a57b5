"""The terms of the losses, as pure functions; all compute and return float32."""

from keras import ops


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
