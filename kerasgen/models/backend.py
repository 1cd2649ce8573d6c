"""TensorFlow and Keras, imported once and in the right way: ``from kerasgen.backend import keras, tf``.

Importing this room takes seconds, so nothing does it before the arguments are known to be right.
"""

import os
import sys
from typing import Any

import keras as keras  # noqa: E402  (the environment above must be set before)

from kerasgen.base.errors import BadInputError, FailedError

if "keras" in sys.modules and sys.modules["keras"].config.backend() != "tensorflow":
    raise FailedError(
        "kerasgen needs Keras on TensorFlow; Keras was already imported on "
        f"{sys.modules['keras'].config.backend()!r}; set KERAS_BACKEND=tensorflow before importing it"
    )


os.environ["KERAS_BACKEND"] = "tensorflow"  # beats keras.json, too


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's own log lines are not for our users


def _import_quietly():
    """Import TensorFlow without the lines that its C++ code prints before its log level is read."""
    sys.stderr.flush()
    try:
        terminal = os.dup(2)
    except OSError:  # there is no standard error to keep clean
        import tensorflow

        return tensorflow
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow
    finally:
        os.dup2(terminal, 2)
        os.close(nowhere)
        os.close(terminal)
    return tensorflow


tf: Any = _import_quietly()


# One program for each number of rows and set of options is what we want; TensorFlow warns of it as a likely mistake.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())


small_loops_fused = False  # whether the programs of this process are compiled as `fuse_small_loops` asks for


def fuse_small_loops() -> None:
    """Let XLA compile loops that touch less than 400,000 bytes into one kernel instead of several calls a step.

    It makes the training of single names half as fast again, and that of batches slower, as products inside a kernel
    are plain loops. It has no effect once XLA has compiled anything, and leaves options that the user has set alone.
    """
    global small_loops_fused
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_backend_extra_options" not in flags:
        option = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=400000"
        os.environ["XLA_FLAGS"] = f"{flags} {option}".strip()
        small_loops_fused = True


def use_one_thread() -> None:
    """Compute every operation on one thread: per-name steps are too small to share, and handing them over costs half.

    It has no effect where TensorFlow already runs.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:
        return


def device(kind: str) -> str:
    """Return TensorFlow's name of a device.

    Args:
        kind: ``"cpu"``, ``"gpu"``, ``"tpu"``, or ``"auto"``: the CPU, since steps as small as those of a names model
            are slower elsewhere.

    Raises:
        BadInputError: there is no such device; the message lists those that there are.
    """
    if kind in ("auto", "cpu"):
        return "/CPU:0"
    if kind == "tpu":
        _connect_tpu()
    if tf.config.list_logical_devices(kind.upper()):
        return f"/{kind.upper()}:0"
    present = ", ".join(sorted({d.device_type.lower() for d in tf.config.list_logical_devices()}))
    raise BadInputError(f"--device must name a device of this machine; received {kind!r}; here there is: {present}")


def _connect_tpu() -> None:
    if tf.config.list_logical_devices("TPU"):
        return
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception:  # whatever it raises where there is none, the caller says what there is
        return
