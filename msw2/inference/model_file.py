"""A trained sandwich as one .keras file: Keras's own members, the config, and what generation draws from."""

import dataclasses
import io
import json
import math
import os
import pathlib
import re
import tempfile
import zipfile
import zlib

import h5py
import keras
import numpy as np

from msw2.config import Config
from msw2.inference.places import SUFFIX, home_of
from msw2.models.prior_file import AnyPrior, read_prior
from msw2.models.sandwich import build_sandwich
from msw2.system.files import replacing
from msw2.system.records import checked, parse_json
from msw2.training.runs import RunError, fitting, load_weights, restored

CONFIG, PRIOR = "msw2/config.json", "msw2/prior.npz"  # members beside Keras's own
WEIGHTS = "model.weights.h5"  # Keras's name
METADATA, MODEL = "metadata.json", "config.json"  # Keras's
SHARED = re.compile(rb'(?<="shared_object_id": )\d+')
ROUNDING = 8  # steps of a rounded matrix in its standard deviation, at least
UNHEARD = 1  # the same of the kernels of `s`, which training alone reads: they say how strong the noise is
STAMP = (1980, 1, 1, 0, 0, 0)  # a zip archive's first moment: the same weights give the same bytes
# Errors that a damaged archive or member raises.
DAMAGED = (
    *(OSError, EOFError, AttributeError, KeyError, TypeError, ValueError, RuntimeError),
    *(NotImplementedError, zipfile.BadZipFile, zlib.error),
)


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """A .keras file, which serves the commands as a finished run does.

    Attributes:
        file: the file.
        path: folder of what the commands make with it, see `places.home_of`.
        config: what the model was built from.
        preset: name of the preset that the config began with, empty where nothing says so.
    """

    file: pathlib.Path
    path: pathlib.Path
    config: Config
    preset: str = ""

    @classmethod
    def open(cls, file: str | os.PathLike) -> "ModelFile":
        """Opens a file that `write_model_file` wrote.

        Raises:
            RunError: if it is missing or damaged.
        """
        file = pathlib.Path(file)
        try:
            with zipfile.ZipFile(file) as archive:
                fields = checked(parse_json(archive.read(CONFIG)), {})
            config, preset, _ = restored(fields)
        except FileNotFoundError as error:
            raise RunError(f"no model at {file}: `make export` writes one") from error
        except DAMAGED as error:
            raise RunError(f"{file} is damaged, or no .keras file of msw2") from error
        return cls(file, home_of(file), config, preset)

    def load_sandwich(self) -> tuple[keras.Model, AnyPrior]:
        """Returns the whole trained model, in float32, and its prior.

        Raises:
            RunError: if the file is damaged.
        """
        # Built from msw2's config, and not from Keras's, which only its own and later versions of Keras read.
        sandwich = build_sandwich(dataclasses.replace(self.config, precision="float32"), portable=True)
        try:
            with zipfile.ZipFile(self.file) as archive, tempfile.TemporaryDirectory() as folder:
                prior = fitting(read_prior(io.BytesIO(archive.read(PRIOR))), self.config)
                load_weights(sandwich, pathlib.Path(archive.extract(WEIGHTS, folder)))
            return sandwich, prior
        except (RunError, *DAMAGED) as error:
            raise RunError(f"{self.file} is damaged, or no .keras file of msw2") from error


def write_model_file(
    path: str | os.PathLike,
    model: keras.Model,
    config: Config,
    prior: AnyPrior,
    *,
    preset: str = "",
    half: bool = False,
) -> None:
    """Writes one .keras file, whole or not at all; `ModelFile` and `keras.models.load_model` read it.

    Args:
        path: ends in .keras.
        model: the trained sandwich.
        config: what it was built from.
        prior: what `generate` draws from.
        preset: name of the preset that the config began with.
        half: whether weights and prior are stored in half precision, the matrices `rounded`, for less than a third of
            the size. What is read back computes in float32 all the same.

    Raises:
        ValueError: if the path does not end in .keras.
    """
    if pathlib.Path(path).suffix != SUFFIX:
        raise ValueError(f"{path} does not end in {SUFFIX}")
    latents = io.BytesIO()
    prior.write(latents, half=half)
    own = {
        CONFIG: json.dumps({"preset": preset, **dataclasses.asdict(config)}).encode(),
        PRIOR: latents.getvalue(),
    }
    with replacing(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        if half:
            members[WEIGHTS] = _halved(members[WEIGHTS])
        metadata = json.loads(members[METADATA])
        metadata.pop("date_saved", None)
        members[METADATA] = json.dumps(metadata).encode()
        members[MODEL] = _renumbered(members[MODEL])
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED if half else zipfile.ZIP_STORED) as archive:
            for name, content in (members | own).items():
                archive.writestr(zipfile.ZipInfo(name, STAMP), content, archive.compression)


def _renumbered(config: bytes) -> bytes:
    """Returns Keras's config of a model with its shared objects counted from 1: Keras takes their places in memory."""
    numbers: dict[bytes, bytes] = {}
    return SHARED.sub(lambda found: numbers.setdefault(found[0], b"%d" % (len(numbers) + 1)), config)


def rounded(weights: np.ndarray, steps: int = ROUNDING) -> np.ndarray:
    """Rounds a matrix to multiples of a power of two, at most a share of its standard deviation.

    The rounded numbers need a byte each where half precision needs two. Vectors stay as they are.

    Args:
        weights: float32 of any shape.
        steps: in the standard deviation, at least.

    Returns:
        float32, the same shape.
    """
    deviation = float(weights.std()) if weights.ndim > 1 else 0.0
    if not deviation:
        return weights
    step = 2.0 ** math.floor(math.log2(deviation / steps))
    return (np.round(weights / step) * step).astype(np.float32)


def _halved(content: bytes) -> bytes:
    """Returns an HDF5 file with the same members, those of float32 rounded and in half precision."""
    made = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as source, h5py.File(made, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name: str, member: h5py.Group | h5py.Dataset) -> None:
            if isinstance(member, h5py.Dataset):
                array = np.asarray(member[()])
                if array.dtype == np.float32:
                    unheard = member.parent.attrs.get("name") == "s"
                    array = rounded(array, UNHEARD if unheard else ROUNDING).astype(np.float16)
                # Shuffled, the bytes that hold exponents lie together, and so do those of mantissas.
                packing = {"chunks": True, "shuffle": True, "compression": "gzip"} if array.ndim else {}
                written = target.create_dataset(name, data=array, **packing)
            else:
                written = target.require_group(name)
            written.attrs.update(member.attrs)

        source.visititems(copy)
    return made.getvalue()
