"""The optimizers of the presets.

One operation of TensorFlow steps a variable and passes over its memory once. Keras's own way is a dozen
operations.
"""

import keras
from keras import ops

from msw2.config import Config

RELEASED_EPSILON = 1e-7  # keras.backend.epsilon() in Keras 2.1.6
FINAL_SHARE = 0.05  # of the learning rate, at the end of the cosine


class _Summed:
    """An optimizer that is given gradients that are summed over the devices already.

    Keras clips the gradients of each device by themselves and sums them then. `training.distributed` sums them first,
    so that their sum is clipped, as on one device.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class Adam(_Summed, keras.optimizers.Adam):
    """Keras's Adam (Kingma and Ba 2015), in one operation a variable.

    Keras's own update takes about twice the CPU time: 7.7 ms against 3.6 ms for a BVAE of 128/64, 68 ms against 39 ms
    at 256/256. A whole step takes some 60 ms and 200 ms, so that is 6 % and over 8 % of a step. (The maths of
    tuned_3200, one track, one thread of a Zen 3, medians of 15 alternating rounds.)
    """

    def update_step(self, gradient, variable, learning_rate):
        """Applies one step to one variable."""
        if not _is_tensorflow():
            super().update_step(gradient, variable, learning_rate)
            return
        index, step = self._get_variable_index(variable), ops.cast(self.iterations + 1, "float32")
        _apply(
            (variable, self._momentums[index], self._velocities[index]),
            gradient,
            learning_rate,
            decays=(self.beta_1, self.beta_2),
            powers=(ops.power(self.beta_1, step), ops.power(self.beta_2, step)),
            epsilon=self.epsilon,
        )


class ReleasedRMSprop(_Summed, keras.optimizers.Optimizer):
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
        if _is_tensorflow():  # whose operation leaves the gradient there
            self._gradients = [self.add_variable_from_reference(v, name="gradient") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        """Applies one step to one variable."""
        index = self._get_variable_index(variable)
        square = self._squares[index]
        if _is_tensorflow():
            # Adam whose mean of gradients forgets at once, and without its correction of first steps.
            _apply(
                (variable, self._gradients[index], square),
                gradient,
                learning_rate,
                decays=(0.0, self.rho),
                powers=(0.0, 0.0),
                epsilon=RELEASED_EPSILON,
            )
            return
        gradient = ops.cast(gradient, variable.dtype)
        self.assign(square, self.rho * square + (1.0 - self.rho) * ops.square(gradient))
        step = ops.cast(learning_rate, variable.dtype) * gradient / (ops.sqrt(square) + RELEASED_EPSILON)
        self.assign_sub(variable, step)

    def get_config(self):
        """Returns the arguments that rebuild the optimizer."""
        return {**super().get_config(), "rho": self.rho}


def _is_tensorflow() -> bool:
    return keras.backend.backend() == "tensorflow"


def _apply(variables, gradient, learning_rate, *, decays, powers, epsilon: float) -> None:
    """Applies TensorFlow's operation of Adam.

    m = d1 m + (1 - d1) g; v = d2 v + (1 - d2) g^2; w -= lr sqrt(1 - p2) / (1 - p1) m / (sqrt(v) + epsilon)

    Args:
        variables: w, m and v, changed in place.
        gradient: g.
        learning_rate: lr.
        decays: d1 and d2.
        powers: p1 and p2, the decays to the power of the step's number.
        epsilon: against division by zero.
    """
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow)

    # Keras gives an optimizer its own variables as Keras's, and those of a model as TensorFlow's.
    resources = [v.value if isinstance(v, keras.Variable) else v for v in variables]
    w, m, v = (resource.handle for resource in resources)
    numbers = [tf.cast(number, resources[0].dtype) for number in (*powers, learning_rate, *decays, epsilon)]
    beta1_power, beta2_power, rate, beta1, beta2, small = numbers
    tf.raw_ops.ResourceApplyAdam(
        var=w,
        m=m,
        v=v,
        beta1_power=beta1_power,
        beta2_power=beta2_power,
        lr=rate,
        beta1=beta1,
        beta2=beta2,
        epsilon=small,
        grad=tf.cast(gradient, resources[0].dtype),
    )


def build_optimizer(
    config: Config, steps: int, *, learning_rate: float | None = None
) -> keras.optimizers.Optimizer:
    """Returns a fresh optimizer for a VAE of either stage.

    Args:
        config: kind, schedule, clipping.
        steps: steps of the whole stage, which the schedule is spread over.
        learning_rate: at the begin of the stage; None: that of stage 1.
    """
    kind = {"rmsprop": ReleasedRMSprop, "adam": Adam}[config.optimizer]
    rate = config.learning_rate if learning_rate is None else learning_rate
    if config.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_SHARE)
    return kind(rate, global_clipnorm=config.clip_norm or None)
