"""Requests to a SavedModel in the C++ loader, in a process of its own; see `loader`."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from tensorflow.core.protobuf import saved_model_pb2

from msw2.serving import loader
from msw2.system import children


class ExportError(Exception):
    """A SavedModel that does not do what the model does; the message is one sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Refusal:
    """What a session says of a request that it refuses; `code` is TensorFlow's."""

    code: int
    message: str


def ask(
    folder: pathlib.Path, requests: list[tuple[str, dict[str, np.ndarray]]]
) -> list[dict[str, np.ndarray] | Refusal]:
    """Returns what a SavedModel answers to each request: outputs by name, or a refusal.

    Args:
        folder: of the SavedModel.
        requests: signature, and inputs by name; strings are of dtype S.

    Raises:
        ExportError: if it cannot be loaded, or lacks a signature.
    """
    inputs, outputs = _tensors(folder)
    if missing := {name for name, _ in requests} - set(inputs):
        raise ExportError(f"the SavedModel has no signature {', '.join(sorted(missing))}")
    calls, arrays = [], {}
    for index, (name, given) in enumerate(requests):
        arrays |= {f"{index}/{key}": array for key, array in given.items()}
        feeds = {f"{index}/{key}": inputs[name][key] for key in given}
        calls.append((feeds, {f"{index}/{key}": tensor for key, tensor in outputs[name].items()}))
    made = _run(folder, calls, arrays)
    return [
        Refusal(int(made[f"error/{index}"][0]), str(made[f"error/{index}"][1]))
        if f"error/{index}" in made
        else {key: made[f"{index}/{key}"] for key in outputs[name]}
        for index, (name, _) in enumerate(requests)
    ]


def _tensors(folder: pathlib.Path) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """Returns the tensors of a SavedModel's inputs and outputs: signature -> name -> tensor."""
    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        definitions = saved.meta_graphs[0].signature_def.items()
    except Exception as error:  # protobuf has an exception of its own for each of its implementations
        raise ExportError(f"the SavedModel cannot be read: {error}") from error
    inputs, outputs = (
        {
            signature: {name: info.name for name, info in getattr(definition, side).items()}
            for signature, definition in definitions
        }
        for side in ("inputs", "outputs")
    )
    return inputs, outputs


def _run(folder: pathlib.Path, calls: list, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns what `loader` writes as answers."""
    with tempfile.TemporaryDirectory() as scratch:
        requests, given, made = (pathlib.Path(scratch, name) for name in ("calls.json", "in.npz", "out.npz"))
        requests.write_text(json.dumps(calls), "utf-8")
        np.savez(given, **arrays)
        command = [sys.executable, loader.__file__, *map(os.fspath, (folder, requests, given, made))]
        # On the CPU, where the model in memory is compared to the last bit.
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
        tie = children.tied_to(os.getpid())
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, preexec_fn=tie
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
            raise ExportError(f"the SavedModel cannot be used: {last}")
        with np.load(made, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
