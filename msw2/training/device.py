"""The device that a process computes on."""

import tensorflow as tf

from msw2.kernels.compiled import has_bfloat16
from msw2.system.memory import keep_freed

# Tensor cores for bfloat16 came with compute capability 8 (Ampere).
BFLOAT16_SINCE = 8


def set_up_device(threads: int = 0, *, gpu: bool = True) -> None:
    """Prepares this process; call it before anything is computed.

    float32 means float32: products are not rounded to TensorFloat-32. A GPU's memory grows with the need.

    Args:
        threads: CPU threads; 0: one a core.
        gpu: whether a GPU may be used.
    """
    keep_freed()
    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    if not gpu:
        tf.config.set_visible_devices([], "GPU")
    for device in tf.config.get_visible_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    # Trainings that follow one another in a process look to TensorFlow like one that is traced again and again.
    tf.get_logger().setLevel("ERROR")


def has_gpu() -> bool:
    """Returns whether TensorFlow sees a GPU that it may use."""
    return bool(tf.config.get_visible_devices("GPU"))


def resolved_precision(precision: str) -> str:
    """Returns the dtype policy that `auto` stands for on this machine; returns any other precision unchanged."""
    if precision != "auto":
        return precision
    gpus = tf.config.get_visible_devices("GPU")
    if not gpus:
        return "mixed_bfloat16" if has_bfloat16() else "float32"
    capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
    return "mixed_bfloat16" if capability[0] >= BFLOAT16_SINCE else "mixed_float16"
