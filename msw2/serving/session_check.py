"""Runs every signature of a SavedModel as TF Serving would: in a session, without Keras and without msw2.

Run by `export` as a script, in a process of its own: `python session_check.py MODEL INPUTS.npz OUTPUTS.npz`. Arrays of
INPUTS are named `<signature>/<input>`; each signature is called with the first row, with the first three, and
with all. Arrays of OUTPUTS are named `<signature>/<output>/<rows>`.
"""

import sys

import numpy as np

BATCHES = (1, 3, None)  # rows; None for all


def main(model: str, inputs: str, outputs: str) -> None:
    """Calls the signatures and writes what they answer."""
    # TensorFlow imports Keras where it can; with None in its place an import fails, as if it were not installed.
    sys.modules["keras"] = sys.modules["msw2"] = None
    import tensorflow as tf  # noqa: PLC0415

    with np.load(inputs, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    answers = {}
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], model)
        for signature, definition in loaded.signature_def.items():
            if signature.startswith("__"):  # how TensorFlow initialises the variables
                continue
            given = {info.name: arrays[f"{signature}/{name}"] for name, info in definition.inputs.items()}
            asked = {name: info.name for name, info in definition.outputs.items()}
            for rows in BATCHES:
                answer = session.run(asked, {name: array[:rows] for name, array in given.items()})
                answers |= {f"{signature}/{name}/{len(value)}": value for name, value in answer.items()}
    np.savez(outputs, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
