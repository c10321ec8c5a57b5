"""Floating-point operations of training, counted from the shapes of the layers."""

from msw2.config import Config

BACKWARD = 2  # products of a backward pass for each of the forward one: by the input and by the weights


def lstm(steps: int, features: int, units: int, *, repeated: int = 0) -> int:
    """Returns the operations of an LSTM's matrix products over one sequence, forward.

    A product [1, a] x [a, b] is 2ab operations; the cell's own arithmetic, a hundredth of it, is left out.

    Args:
        steps: steps of the sequence.
        features: features that differ from step to step.
        units: units.
        repeated: features that are the same in every step: their product is needed once.
    """
    gates = 4 * units
    return 2 * gates * (steps * (features + units) + repeated)


def bvae_forward(config: Config) -> int:
    """Returns the operations of one unit through a BVAE, forward.

    The decoder's one-hot position is a choice of rows, not a product: nothing.
    """
    encoder = lstm(config.unit_steps, config.pitches, config.bvae_hidden)
    states = config.unit_steps if config.encoder_states == "all" else 1
    moments = 2 * states * config.bvae_hidden * 2 * config.bvae_latent
    if config.decoding == "draft":
        draft = 2 * config.bvae_latent * config.unit_steps * config.pitches
        decoder = draft + lstm(config.unit_steps, config.pitches, config.bvae_hidden)
    else:
        decoder = lstm(config.unit_steps, 0, config.bvae_hidden, repeated=config.bvae_latent)
    if config.likelihood == "gaussian":
        output = lstm(config.unit_steps, config.bvae_hidden, config.pitches)
    else:
        output = 2 * config.unit_steps * config.bvae_hidden * config.pitches
    return encoder + moments + decoder + output


def bvae_training(config: Config) -> int:
    """Returns the operations of one unit in a training step of stage 1: forward and backward."""
    return (1 + BACKWARD) * bvae_forward(config)
