"""`make export`: writes a run as one .keras file, and as a SavedModel that is checked before it is published."""

import tensorflow as tf
from absl import flags

from msw2.cli import options
from msw2.cli.launch import launch
from msw2.inference.band import Band
from msw2.serving.export import export_run
from msw2.serving.loader_process import ExportError
from msw2.system.progress import say
from msw2.training.device import set_up_device


def define_flags() -> None:
    """Defines the command's flags."""
    options.define_trained()
    flags.DEFINE_integer(
        "version",
        None,
        "Number of the version; without it, one more than the highest. A server takes the highest.",
        lower_bound=1,
        upper_bound=2**62,
    )


def main() -> None:
    """Writes `<run>/export/msw2.keras` and `<run>/export/msw2/<version>`."""
    set_up_device(flags.FLAGS.threads, gpu=False)  # what is traced on a CPU runs on both
    tf.get_logger().setLevel("WARNING")  # it is not absl's, which `launch` has quietened
    run = options.open_run()
    file = run.path / "export" / "msw2.keras"
    say(f"writing {file}")
    with options.writing(run.path / "export"):
        Band.load(flags.FLAGS.run).save(file)
        print(f"{file}: {file.stat().st_size / 2**20:.1f} MB, for msw2.load and keras.models.load_model")
        say("writing the SavedModel, and asking each signature in TF Serving's loader")
        folder = export_run(run, flags.FLAGS.version)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(
        f"{folder}: {size / 2**20:.1f} MB; every signature answers as the model does, and refuses what is wrong"
    )


if __name__ == "__main__":
    launch(define_flags, main, ExportError, *options.USER_ERRORS)
