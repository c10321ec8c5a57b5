"""TensorFlow's C++ loader of SavedModels, which TF Serving has too, called without TensorFlow's Python.

Python's session compares the shapes of what it is given with those of the signature. This session does not, and neither
does a server.

Run by `export` as a script, in a process of its own: `python loader.py MODEL REQUESTS.json ARRAYS.npz ANSWERS.npz`. A
request is [inputs, outputs], each an object: name of an array -> tensor. ANSWERS has the outputs under their names. For
a request that the session refuses, it has `error/<index of the request>`: the code and the message.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import pathlib
import sys

import numpy as np

STRING, STRING_BYTES = 7, 24  # TF_STRING, sizeof(TF_TString)
TYPES = {"float32": 1, "int32": 3, "uint8": 4, "int64": 9, "bool": 10}  # TF_DataType
INVALID_ARGUMENT = 3  # TF_Code; a server answers 400
POINTERS = ("NewStatus", "NewGraph", "NewSessionOptions", "LoadSessionFromSavedModel", "GraphOperationByName")
POINTERS += ("AllocateTensor", "TensorData", "StringGetDataPointer")  # functions that return one
SIZES = ("Dim", "TensorByteSize", "StringGetSize")  # functions that return 64 bits


class _Output(ctypes.Structure):
    """TF_Output: a tensor of a graph."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class LoaderError(Exception):
    """What the library refuses. `code` is a TF_Code."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class Loaded:
    """A SavedModel in a session. It is not closed: a process has one.

    Args:
        folder: of the SavedModel.

    Raises:
        LoaderError: if it cannot be loaded.
    """

    def __init__(self, folder: str | os.PathLike):
        spec = importlib.util.find_spec("tensorflow")  # found, but not imported
        self._tf = ctypes.CDLL(os.fspath(pathlib.Path(spec.origin).with_name("libtensorflow_cc.so.2")))
        for names, kind in (
            (POINTERS, ctypes.c_void_p),
            (SIZES, ctypes.c_int64),
            (["Message"], ctypes.c_char_p),
        ):
            for name in names:
                self._function(name).restype = kind
        self._status = ctypes.c_void_p(self._function("NewStatus")())
        self._graph = ctypes.c_void_p(self._function("NewGraph")())
        options = ctypes.c_void_p(self._function("NewSessionOptions")())
        tags = (ctypes.c_char_p * 1)(b"serve")
        load = options, None, os.fsencode(folder), tags, 1, self._graph, None
        self._session = ctypes.c_void_p(self._call("LoadSessionFromSavedModel", *load))

    def run(self, inputs: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
        """Returns the values of tensors, given those of others; tensors are named as in `x:0`. Strings are of dtype S.

        Raises:
            LoaderError: if the session refuses that.
        """
        feeds, fetches = self._outputs(inputs), self._outputs(outputs)
        given = (ctypes.c_void_p * len(inputs))(*(self._tensor(array) for array in inputs.values()))
        made = (ctypes.c_void_p * len(outputs))()
        with contextlib.ExitStack() as stack:
            for tensors in (given, made):
                stack.callback(lambda tensors=tensors: [self._delete(each) for each in tensors if each])
            call = self._session, None, feeds, given, len(inputs), fetches, made, len(outputs), None, 0, None
            self._call("SessionRun", *call)
            return [self._array(ctypes.c_void_p(tensor)) for tensor in made]

    def _function(self, name: str):
        return getattr(self._tf, f"TF_{name}")

    def _call(self, name: str, *arguments) -> int | None:
        """Calls a function whose last argument, which is added here, is the status.

        Raises:
            LoaderError: if that is not OK after it.
        """
        result = self._function(name)(*arguments, self._status)
        if code := self._function("GetCode")(self._status):
            raise LoaderError(code, self._function("Message")(self._status).decode("utf-8", "replace"))
        return result

    def _outputs(self, names) -> ctypes.Array:
        found = (_Output * len(names))()
        for place, name in zip(found, names, strict=True):
            operation, _, index = name.partition(":")
            place.operation = self._function("GraphOperationByName")(self._graph, operation.encode())
            place.index = int(index)
        return found

    def _tensor(self, array: np.ndarray) -> int:
        """Returns a new TF_Tensor."""
        array = np.ascontiguousarray(array)
        strings = array.dtype.kind == "S"
        kind = STRING if strings else TYPES[array.dtype.name]
        size = STRING_BYTES * array.size if strings else array.nbytes
        dims = (ctypes.c_int64 * array.ndim)(*array.shape)
        tensor = self._function("AllocateTensor")(kind, dims, array.ndim, ctypes.c_size_t(size))
        data = self._function("TensorData")(ctypes.c_void_p(tensor))
        if not strings:
            ctypes.memmove(data, array.ctypes.data, size)
        for index, text in enumerate(array.ravel().tolist() if strings else ()):
            place = ctypes.c_void_p(data + STRING_BYTES * index)
            self._function("StringInit")(place)
            self._function("StringCopy")(place, text, ctypes.c_size_t(len(text)))
        return tensor

    def _array(self, tensor: ctypes.c_void_p) -> np.ndarray:
        """Returns a copy of a TF_Tensor."""
        shape = [self._function("Dim")(tensor, axis) for axis in range(self._function("NumDims")(tensor))]
        kind = self._function("TensorType")(tensor)
        data, size = self._function("TensorData")(tensor), self._function("TensorByteSize")(tensor)
        if kind != STRING:
            names = {number: name for name, number in TYPES.items()}
            return np.frombuffer(ctypes.string_at(data, size), names[kind]).reshape(shape)
        texts = []
        for index in range(size // STRING_BYTES):
            place = ctypes.c_void_p(data + STRING_BYTES * index)
            pointer, length = (
                self._function("StringGetDataPointer")(place),
                self._function("StringGetSize")(place),
            )
            texts.append(ctypes.string_at(pointer, length))
        return np.array(texts, bytes).reshape(shape)

    def _delete(self, tensor: int) -> None:
        self._function("DeleteTensor")(ctypes.c_void_p(tensor))


def main(model: str, requests: str, arrays: str, answers: str) -> None:
    """Answers the requests."""
    try:
        loaded = Loaded(model)
    except LoaderError as error:
        sys.exit(str(error))
    made = {}
    with np.load(arrays, allow_pickle=False) as given:
        for index, (inputs, outputs) in enumerate(json.loads(pathlib.Path(requests).read_text("utf-8"))):
            feeds = {tensor: given[key] for key, tensor in inputs.items()}
            try:
                made |= zip(outputs, loaded.run(feeds, list(outputs.values())), strict=True)
            except LoaderError as error:
                made[f"error/{index}"] = np.array([str(error.code), str(error)])
    np.savez(answers, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
