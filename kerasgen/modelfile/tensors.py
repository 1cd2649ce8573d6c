"""The arrays of a model file: the member ``model.safetensors``, checked against the model before it is unpacked."""

import math
from typing import Any

from kerasgen.modelfile.archive import TENSORS, Refused, check_arrays, parse

_TYPES = {"F32": 4, "F64": 8, "I64": 8}  # bytes a number
_LONGEST_HEADER = 100_000  # bytes; ours have 2,000
_MOST_ARRAYS = 500  # ours have 30


def pack(arrays: dict[str, Any]) -> bytes:
    """Return the member of some NumPy arrays."""
    import numpy as np
    from safetensors.numpy import save

    return save({path: np.array(array, order="C") for path, array in arrays.items()})


def arrays(data: bytes, shapes: dict[str, tuple[int, ...]], dtype: str) -> tuple[list[Any], list[Any]]:
    """Return the weights and the optimizer's state, NumPy arrays ``<f4``, ``<f8`` or ``<i8``.

    Args:
        data: the member.
        shapes: the path and the shape of every weight; the arrays come in this order, then those of the optimizer.
        dtype: that of the weights.

    Raises:
        Refused: there is anything but an array of finite numbers for each weight, and those of an optimizer.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    _check(data)
    try:
        found = load(data)
    except (SafetensorError, ValueError) as error:
        raise Refused(f"is damaged: its {TENSORS} can't be read ({error!s:.200})") from None
    return check_arrays(found, shapes, dtype, TENSORS)


def _check(data: bytes) -> None:
    """Refuse a header that describes anything but plain arrays, one after another, up to the member's end."""
    start = 8 + int.from_bytes(data[:8], "little")
    if not 8 < start <= min(len(data), _LONGEST_HEADER):
        raise Refused(f"is damaged: its {TENSORS} has {len(data)} bytes, and a header of {start - 8}")
    header = parse(data[8:start])
    if len(header) > _MOST_ARRAYS:
        raise Refused(f"has more arrays in its {TENSORS} than any of ours")
    spans = [_span(path, entry) for path, entry in header.items()]
    end = 0
    for first, after in sorted(spans):
        if first != end:
            raise Refused(f"has arrays in its {TENSORS} that do not lie one after another")
        end = after
    if start + end != len(data):
        raise Refused(f"has {len(data) - start} bytes of arrays in its {TENSORS} where its header asks for {end}")


def _span(path: str, entry: Any) -> tuple[int, int]:
    """Return where an array begins and ends, once it has as many bytes as its shape asks for."""
    if isinstance(entry, dict) and set(entry) == {"dtype", "shape", "data_offsets"}:
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        whole = isinstance(shape, list) and isinstance(offsets, list)
        if whole and all(type(number) is int and 0 <= number < 2**31 for number in [*shape, *offsets]):
            size = _TYPES.get(dtype, 0) if isinstance(dtype, str) else 0
            if len(shape) < 5 and len(offsets) == 2 and size and offsets[1] - offsets[0] == math.prod(shape) * size:
                return offsets[0], offsets[1]
    raise Refused(f"has no plain array in its {TENSORS} at {path!r:.100}: {entry!r:.200}")
