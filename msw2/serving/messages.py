"""TensorFlow Serving's messages of a prediction, as bytes. Imports neither TensorFlow nor protobuf.

The package tensorflow-serving-api has them as classes, but pins an old protobuf. What is needed of them is short to
write out: predict.proto and model.proto of TensorFlow Serving, tensor.proto and tensor_shape.proto of TensorFlow.
"""

from collections.abc import Iterator

import numpy as np

# Field numbers.
REQUEST_MODEL_SPEC, REQUEST_INPUTS = 1, 2
RESPONSE_OUTPUTS = 1
MODEL_SPEC_NAME, MODEL_SPEC_SIGNATURE = 1, 3
MAP_KEY, MAP_VALUE = 1, 2
TENSOR_DTYPE, TENSOR_SHAPE, TENSOR_CONTENT, TENSOR_FLOATS, TENSOR_STRINGS = 1, 2, 4, 5, 8
SHAPE_DIM, DIM_SIZE = 2, 1

STRING = 7
DTYPES = {"float32": 1, "int32": 3, "int64": 9, "bool": 10}

_VARINT, _EIGHT_BYTES, _LENGTH_DELIMITED, _FOUR_BYTES = 0, 1, 2, 5  # wire types
_VARINT_BYTES = 10  # of the largest number


class MessageError(ValueError):
    """Bytes that are no message of the kind that is expected; the message says what they are."""


def predict_request(model: str, signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    """Returns a serialised `PredictRequest`.

    Args:
        model: name under which it is served.
        signature: to be called.
        inputs: its inputs by name; strings are of dtype S.
    """
    spec = bytes_field(MODEL_SPEC_NAME, model.encode()) + bytes_field(
        MODEL_SPEC_SIGNATURE, signature.encode()
    )
    request = bytes_field(REQUEST_MODEL_SPEC, spec)
    for name, array in inputs.items():
        entry = bytes_field(MAP_KEY, name.encode()) + bytes_field(MAP_VALUE, tensor_message(array))
        request += bytes_field(REQUEST_INPUTS, entry)
    return request


def tensor_message(array: np.ndarray) -> bytes:
    """Returns a serialised `TensorProto` of float32, int32, int64, bool or strings (dtype S)."""
    dims = b"".join(bytes_field(SHAPE_DIM, _number_field(DIM_SIZE, size)) for size in array.shape)
    strings = array.dtype.kind == "S"
    dtype = STRING if strings else DTYPES[array.dtype.name]
    content = (
        b"".join(bytes_field(TENSOR_STRINGS, text) for text in array.ravel().tolist())
        if strings
        else bytes_field(TENSOR_CONTENT, array.tobytes())
    )
    return _number_field(TENSOR_DTYPE, dtype) + bytes_field(TENSOR_SHAPE, dims) + content


def predict_response(content: bytes) -> dict[str, np.ndarray]:
    """Returns the outputs of a serialised `PredictResponse` by name: float32, or strings of dtype S.

    Raises:
        MessageError: if it is none, or has outputs of other types.
    """
    outputs = {}
    for number, entry in _fields(content):
        if number == RESPONSE_OUTPUTS:
            found = dict(_fields(_bytes(entry)))
            name = _bytes(found.get(MAP_KEY, b"")).decode("utf-8", "replace")
            outputs[name] = _array(_bytes(found.get(MAP_VALUE, b"")))
    return outputs


def bytes_field(number: int, content: bytes) -> bytes:
    """Returns a protobuf field that holds bytes, a string or a message."""
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _number_field(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    """Returns a non-negative integer, seven bits a byte, the lowest first."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def _array(tensor: bytes) -> np.ndarray:
    """Returns what a `TensorProto` holds."""
    dtype, shape, strings, floats = 0, [], [], b""
    for number, value in _fields(tensor):
        if number == TENSOR_DTYPE:
            dtype = value
        elif number == TENSOR_SHAPE:
            dims = [_bytes(dim) for field, dim in _fields(_bytes(value)) if field == SHAPE_DIM]
            shape = [dict(_fields(dim)).get(DIM_SIZE, 0) for dim in dims]
        elif number == TENSOR_STRINGS:
            strings.append(_bytes(value))
        elif number in (TENSOR_CONTENT, TENSOR_FLOATS):  # a server writes the second
            floats += _bytes(value)
    if dtype not in (STRING, DTYPES["float32"]):
        raise MessageError(f"an output is of TensorFlow's type {dtype}, neither float32 nor string")
    try:
        values = np.array(strings, bytes) if dtype == STRING else np.frombuffer(floats, "<f4")
        return values.reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise MessageError(f"an output of shape {shape} does not have its values") from error


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise MessageError("a number stands where bytes should")
    return value


def _fields(content: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yields the fields of a message: number, and its value as a number or as bytes."""
    at = 0
    while at < len(content):
        tag, at = _read_varint(content, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _read_varint(content, at)
            yield number, value
            continue
        if wire == _LENGTH_DELIMITED:
            size, at = _read_varint(content, at)
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            size = 8 if wire == _EIGHT_BYTES else 4
        else:
            raise MessageError(f"wire type {wire} is not one of protobuf's")
        if at + size > len(content):
            raise MessageError("it is cut off")
        yield number, content[at : at + size]
        at += size


def _read_varint(content: bytes, at: int) -> tuple[int, int]:
    """Returns the number that begins at a place, and the place behind it."""
    value = 0
    for index, byte in enumerate(content[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise MessageError("it is cut off")
