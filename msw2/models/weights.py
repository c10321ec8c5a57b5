"""A model's weights as a file of Keras's own format, with a checksum behind it."""

import hashlib
import io
import pathlib
import re
import warnings

import keras
from keras.src.saving import saving_lib

from msw2.system.files import replacing
from msw2.system.records import RecordError

MARK = b"\nmsw2 sha256 "  # HDF5, and so Keras, reads nothing behind its own end
TRAILER = re.compile(re.escape(MARK) + rb"([0-9a-f]{64})\n\Z")


def write_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Writes a model's weights, whole or not at all. Keras, and any reader of HDF5, can read the file."""
    content = _content(model)
    with replacing(path) as temporary:
        temporary.write_bytes(content + MARK + hashlib.sha256(content).hexdigest().encode() + b"\n")


def read_weights(model: keras.Model, path: pathlib.Path) -> None:
    """Loads a model's weights; those that an earlier version wrote have no checksum.

    Raises:
        RecordError: if they are missing, damaged, or of another model.
    """
    try:
        content = path.read_bytes()
        found = TRAILER.search(content[-len(MARK) - 65 :])
        if found and hashlib.sha256(content[: -len(MARK) - 65]).hexdigest().encode() != found[1]:
            raise RecordError("damaged: its bytes are not those that were written")
        with warnings.catch_warnings():
            # Keras only warns if it finds nothing for a layer, which would stay untrained.
            warnings.simplefilter("error", UserWarning)
            _load(model, content)
    except RecordError:
        raise
    # HDF5's errors on damaged files are of many kinds.
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError, UserWarning) as error:
        raise RecordError("damaged or of another model") from error


def _content(model: keras.Model) -> bytes:
    """Returns what `model.save_weights` writes, without an optimizer.

    An optimizer would take two thirds of the file, and its name tells how many there were before it in the process.

    It is made in memory: where the disk is full, HDF5 ends the process while it closes a file. Keras has no public
    function for that; these two are what `save_weights` calls in every Keras 3, as those of `_load` are what
    `load_weights` calls.
    """
    content = io.BytesIO()
    skipped = {id(model.optimizer)} if getattr(model, "optimizer", None) is not None else set()
    store = saving_lib.H5IOStore(content, mode="w")
    saving_lib._save_state(
        model, weights_store=store, assets_store=None, inner_path="", visited_saveables=skipped
    )
    store.close()
    return content.getvalue()


def _load(model: keras.Model, content: bytes) -> None:
    """Does what `model.load_weights` does, of a file's content: it is read once, and what was checked is loaded."""
    failed: set[int] = set()
    errors: dict[int, tuple] = {}
    store = saving_lib.H5IOStore(io.BytesIO(content), mode="r")
    saving_lib._load_state(
        model,
        weights_store=store,
        assets_store=None,
        inner_path="",
        visited_saveables=set(),
        failed_saveables=failed,
        error_msgs=errors,
    )
    store.close()
    if failed:
        raise ValueError(f"{len(failed)} layers: {errors}")
