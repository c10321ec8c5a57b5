"""A fit on several devices, in one process or in several. It ends in what `fit` on one device ends in, to rounding.

Keras's own `fit` does not run under MultiWorkerMirroredStrategy (Keras 3.15). What makes n devices equal to one:

* `batch_size` is that of the whole batch. Each device computes its share of the rows, and its mean counts by their
  number (`data.shares`).
* Rows get the random numbers that they get in the whole batch: shifts and mixtures (`data.pipeline`), and the noise
  of layers (`models.draws`).
* Gradients are summed over the devices before they are clipped (`training.optimizers`).
* All processes begin with the chief's state: weights, optimizer, random generators.
"""

import zlib
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from msw2.data.autotune import without_autotune
from msw2.data.shares import Share
from msw2.models import draws
from msw2.training.feeds import Feed
from msw2.training.jobs import Job, JobError


def begin_alike(variables: Sequence[keras.Variable], first: int, identity: str, job: Job) -> int:
    """Gives all processes the chief's state, and returns the epoch that it goes on with.

    Args:
        variables: all that a fit changes.
        first: epoch that this process would go on with.
        identity: what is trained, with which config, on which store.
        job: the processes.

    Raises:
        JobError: if a process trains something else, or has ended.
    """
    if job.processes == 1:
        return first
    mine = zlib.crc32(identity.encode()) & 0x7FFFFFFF
    chiefs, first = (int(each) for each in job.chiefs([tf.constant(mine), tf.constant(first)]))
    if different := job.total(int(chiefs != mine)):
        raise JobError(
            f"{different} of the {job.processes} processes of the job train with another config or on another store: "
            "start all of them with the same command, on the same files"
        )
    values = job.chiefs([tf.convert_to_tensor(variable.value) for variable in variables])
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return first


def fit(
    model: keras.Model,
    feed: Feed,
    job: Job,
    *,
    first: int,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """Trains a compiled model as `keras.Model.fit` does, on all devices of a job.

    Args:
        model: built and compiled in the scope of the job.
        feed: what it reads.
        job: the devices.
        first: epoch to begin with, 0-based.
        epochs: epoch to end before.
        callbacks: of Keras; they run in every process.

    Raises:
        JobError: if another process has ended.
    """
    steps, calls = Steps(model, job), keras.callbacks.CallbackList(callbacks, model=model)
    batches = iter(without_autotune(feed.batches(first, epochs, job.share)))
    held_out = feed.held_out(job.share)
    held_out = None if held_out is None else without_autotune(held_out)
    model.stop_training = False
    calls.on_train_begin()
    with job.together():
        for epoch in range(first, epochs):
            calls.on_epoch_begin(epoch)
            for step in range(feed.steps):
                calls.on_train_batch_begin(step)
                steps.train(*next(batches))
                calls.on_train_batch_end(step)
            logs = steps.means()
            for batch in held_out or ():
                steps.test(*batch)
            if held_out is not None:
                logs |= {f"val_{name}": value for name, value in steps.means().items()}
            calls.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
    calls.on_train_end(logs)


class Steps:
    """The functions of a step, in the graph.

    Args:
        model: compiled.
        job: the devices.
    """

    def __init__(self, model: keras.Model, job: Job):
        self._model, self._job = model, job
        self._training = tf.function(self._train, reduce_retracing=True)
        self._testing = tf.function(self._test, reduce_retracing=True)
        self._taking = tf.function(self._take_sums)
        self._sums = 0.0

    def train(self, inputs, targets, total) -> None:
        """Trains on this process's rows of a batch of `total` rows."""
        self._run(self._training, inputs, targets, total)

    def test(self, inputs, targets, total) -> None:
        """Measures on this process's rows of a batch of `total` rows."""
        self._run(self._testing, inputs, targets, total)

    def means(self) -> dict[str, float]:
        """Returns what all metrics are over all rows since the last call, by name; every one is a mean."""
        self._keep(1.0)
        sums, self._sums = self._sums.reshape(-1, 2).tolist(), 0.0
        pairs = zip(_metrics(self._model), sums, strict=True)
        return dict(
            sorted((metric.name, value / count) for metric, (value, count) in pairs)
        )  # as Keras's own fit

    def _run(self, function, inputs, targets, total) -> None:
        # Each device measures all of a batch that is not cut: it counts once.
        whole = int(total) < self._job.devices
        if whole:
            self._keep(1.0)
        function(inputs, targets, total)
        if whole:
            self._keep(1.0 / self._job.devices)

    def _keep(self, weight: float) -> None:
        self._sums = self._sums + weight * self._taking().numpy().astype(np.float64)

    def _train(self, inputs, targets, total):
        model, optimizer = self._model, self._model.optimizer

        def replica(inputs, targets, total):
            inputs, targets, first = self._own(inputs, targets, total)
            weight = self._weight(inputs, total)
            with tf.GradientTape() as tape, draws.sharing(first, tf.shape(inputs)[0], total):
                loss = self._loss(inputs, targets, training=True)
                scaled = optimizer.scale_loss(weight * loss)
            variables = model.trainable_weights
            gradients = tape.gradient(scaled, variables)
            context = tf.distribute.get_replica_context()
            optimizer.apply(context.all_reduce(tf.distribute.ReduceOp.SUM, gradients), variables)

        self._job.strategy.run(replica, args=(inputs, targets, total))

    def _test(self, inputs, targets, total):
        def replica(inputs, targets, total):
            inputs, targets, first = self._own(inputs, targets, total)
            with draws.sharing(first, tf.shape(inputs)[0], total):
                self._loss(inputs, targets, training=False)

        self._job.strategy.run(replica, args=(inputs, targets, total))

    def _own(self, inputs, targets, total):
        """Returns the rows of the process's that are the device's, and where in the batch they begin."""
        devices = self._job.devices
        device = tf.distribute.get_replica_context().replica_id_in_sync_group
        first, end = Share(device, devices, devices).bounds(total)
        before, _ = self._job.share.bounds(total)
        return inputs[first - before : end - before], targets[first - before : end - before], first

    def _weight(self, inputs, total):
        """Returns what the mean over a device's rows counts for, so that all of them add up to that over the batch."""
        rows, devices = tf.shape(inputs)[0], self._job.devices
        return tf.where(total < devices, 1.0 / devices, tf.cast(rows / total, tf.float32))

    def _loss(self, inputs, targets, *, training: bool):
        """Returns the loss of a device's rows, and updates its metrics."""
        model = self._model
        outputs = model(inputs, training=training)
        loss = model.compute_loss(x=inputs, y=targets, y_pred=outputs, training=training)
        model.compute_metrics(inputs, targets, outputs)
        _metrics(model)[0].update_state(loss, sample_weight=tf.shape(inputs)[0])
        return loss

    def _take_sums(self):
        """Returns sum and count of each metric over all devices, and begins anew."""

        def replica():
            found = [tf.convert_to_tensor(each) for m in _metrics(self._model) for each in m.variables]
            sums = tf.stack([tf.cast(each, tf.float32) for each in found])
            with tf.control_dependencies([sums]):
                for metric in _metrics(self._model):
                    metric.reset_state()
            return sums

        return self._job.strategy.reduce(
            tf.distribute.ReduceOp.SUM, self._job.strategy.run(replica), axis=None
        )


def _metrics(model: keras.Model) -> list[keras.metrics.Metric]:
    """Returns a model's metrics: its loss, its own terms, and those that it was compiled with."""
    return [each for metric in model.metrics for each in getattr(metric, "metrics", None) or [metric]]
