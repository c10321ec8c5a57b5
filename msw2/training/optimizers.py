"""The optimizers of the presets."""

import keras
from keras import ops

from msw2.config import Config

RELEASED_EPSILON = 1e-7  # keras.backend.epsilon() in Keras 2.1.6
FINAL_SHARE = 0.05  # of the learning rate, at the end of the cosine


class ReleasedRMSprop(keras.optimizers.Optimizer):
    """RMSprop as Keras 2.1.6 computes it: v = 0.9 v + 0.1 g^2; w -= lr * g / (sqrt(v) + 1e-7).

    Keras 3 has the epsilon inside the root, which makes the first steps of small gradients far smaller.
    """

    def __init__(self, learning_rate: float, rho: float = 0.9, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.rho = rho

    def build(self, variables):
        """Makes one running mean of squares for each variable."""
        if self.built:
            return
        super().build(variables)
        self._squares = [self.add_variable_from_reference(v, name="square") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        """Applies one step to one variable."""
        gradient = ops.cast(gradient, variable.dtype)
        square = self._squares[self._get_variable_index(variable)]
        self.assign(square, self.rho * square + (1.0 - self.rho) * ops.square(gradient))
        step = ops.cast(learning_rate, variable.dtype) * gradient / (ops.sqrt(square) + RELEASED_EPSILON)
        self.assign_sub(variable, step)

    def get_config(self):
        """Returns the arguments that rebuild the optimizer."""
        return {**super().get_config(), "rho": self.rho}


def build_optimizer(config: Config, steps: int) -> keras.optimizers.Optimizer:
    """Returns a fresh optimizer for a VAE of either stage.

    Args:
        config: kind, learning rate, schedule, clipping.
        steps: steps of the whole stage, which the schedule is spread over.
    """
    kind = {"rmsprop": ReleasedRMSprop, "adam": keras.optimizers.Adam}[config.optimizer]
    rate = config.learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_SHARE)
    return kind(rate, global_clipnorm=config.clip_norm or None)
