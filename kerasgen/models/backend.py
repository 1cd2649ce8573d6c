"""TensorFlow and Keras, imported once and in the right way: ``from kerasgen.models.backend import keras, tf``.

Importing this module takes seconds, so nothing does it before the arguments are known to be right.
"""

import contextlib
import importlib.util
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.base.figures import import_matplotlib
from kerasgen.base.machine import FUSED_LOOPS

if "keras" in sys.modules and sys.modules["keras"].config.backend() != "tensorflow":
    raise FailedError(
        "kerasgen needs Keras on TensorFlow; Keras was already imported on "
        f"{sys.modules['keras'].config.backend()!r}; set KERAS_BACKEND=tensorflow before importing it"
    )


os.environ["KERAS_BACKEND"] = "tensorflow"  # beats keras.json, too


def _check_flags(flags: str) -> None:
    """Refuse a flag that XLA does not know, as it would end the process: its libraries have the names of all.

    Raises:
        BadInputError: there is one.
    """
    unknown = [flag for flag in flags.split() if flag.startswith("--xla_")]
    found = importlib.util.find_spec("tensorflow") if unknown else None
    folders = found.submodule_search_locations or [] if found else []
    libraries = sorted((file for folder in folders for file in Path(folder).glob("lib*.so*")), key=os.path.getsize)
    for library in libraries:
        with open(library, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            names = {flag: flag.removeprefix("--").partition("=")[0].encode() + b"\0" for flag in unknown}
            unknown = [flag for flag in unknown if content.find(names[flag]) < 0]
    if libraries and unknown:
        raise BadInputError(f"XLA_FLAGS must hold flags that XLA has; received {unknown[0]!r}; leave it out")


_check_flags(os.environ.get("XLA_FLAGS", ""))


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own log lines are not for our users


@contextlib.contextmanager
def without_standard_error() -> Iterator[None]:
    """Keep what TensorFlow's C++ code prints from standard error while the block runs."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(nowhere)
        os.close(terminal)


def _import_quietly():
    """Import TensorFlow without the lines that are printed before its log level is read."""
    with without_standard_error():
        import tensorflow

        return tensorflow


import_matplotlib()  # TensorFlow imports Keras, and Keras imports it
tf: Any = _import_quietly()
import keras as keras  # noqa: E402  (the environment above must be set before)

# One program for each number of rows is what we want; TensorFlow warns of it as a likely mistake.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())


def fuse_small_loops() -> bool:
    """Let XLA compile loops that touch less than 400,000 bytes into one kernel instead of several calls a step.

    It makes the training of single names half as fast again, and that of batches slower, as products inside a kernel
    are plain loops. It is a switch of the whole process (XLA has no other), so only a command may use it. It has no
    effect once XLA has compiled anything, and leaves options that the user has set alone.

    Returns:
        Whether XLA is told so now; `simple_rnn_gradients` must know.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        os.environ["XLA_FLAGS"] = flags = f"{flags} {FUSED_LOOPS}".strip()
    return FUSED_LOOPS in flags


def use_one_thread() -> None:
    """Compute every operation on one thread: the steps of a batch of names are too small to share.

    It is a switch of the whole process, so only a command may use it. It has no effect where TensorFlow already runs.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:
        return


@contextlib.contextmanager
def floatx(dtype: str) -> Iterator[None]:
    """Make `dtype` Keras' default while the block runs: an optimizer keeps its learning rate in that precision."""
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


def device(place: str) -> str:
    """Return TensorFlow's name of a device; GPUs take memory as they need it from then on.

    Args:
        place: ``"cpu"``, ``"gpu"``, ``"gpu:0,1"`` for some of the machine's GPUs, ``"tpu"``, or ``"auto"``: the CPU,
            since steps as small as those of a names model are slower elsewhere.

    Raises:
        BadInputError: there is no such device; the message lists those that there are.
    """
    kind, _, numbers = place.partition(":")
    if kind in ("auto", "cpu"):
        return "/CPU:0"
    if kind == "tpu":
        _connect_tpu()
    if kind == "gpu":
        _choose_gpus([int(number) for number in numbers.split(",")] if numbers else None)
    if tf.config.list_logical_devices(kind.upper()):
        return f"/{kind.upper()}:0"
    present = ", ".join(sorted({d.device_type.lower() for d in tf.config.list_logical_devices()}))
    raise BadInputError(f"--device must name a device of this machine; received {kind!r}; here there is: {present}")


def _choose_gpus(numbers: list[int] | None) -> None:
    """Let TensorFlow see some GPUs only (None for all), and take no more of their memory than it needs.

    Raises:
        BadInputError: there are no such GPUs, or TensorFlow already runs with others.
    """
    there = tf.config.list_physical_devices("GPU")
    if numbers is not None:
        received = ",".join(map(str, numbers))
        if not all(number < len(there) for number in numbers):
            known = f"0 to {len(there) - 1}" if there else "none"
            raise BadInputError(f"--gpus must name GPUs that TensorFlow sees, here {known}; received {received}")
        chosen = [there[number] for number in dict.fromkeys(numbers)]
        try:
            if tf.config.get_visible_devices("GPU") != chosen:
                tf.config.set_visible_devices(chosen, "GPU")
        except RuntimeError:
            raise BadInputError(
                f"--gpus must be chosen before TensorFlow runs; received {received} after that"
            ) from None
    for gpu in tf.config.get_visible_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # it already runs, as the process has told it to
            tf.config.experimental.set_memory_growth(gpu, True)


def _connect_tpu() -> None:
    if tf.config.list_logical_devices("TPU"):
        return
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception:  # whatever it raises where there is none, the caller says what there is
        return
