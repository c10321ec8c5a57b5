"""tf.data without its tuner."""


def untuned(dataset):
    """Returns a tf.data.Dataset without tf.data's tuner, which sleeps up to a minute at a time.

    An iterator that is done with waits until it wakes, which is on average half as long as it has been read from.
    """
    import tensorflow as tf  # noqa: PLC0415 (other backends run without TensorFlow, and so do `make data`'s workers)

    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
