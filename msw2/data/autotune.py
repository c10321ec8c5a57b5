"""tf.data without its autotuning."""


def without_autotune(dataset):
    """Returns a tf.data.Dataset that is not autotuned.

    The tuner sleeps for up to a minute at a time. An iterator that ends waits until the tuner wakes, on average
    for half as long as it was read.
    """
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow, and so do `make data`'s workers)

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
