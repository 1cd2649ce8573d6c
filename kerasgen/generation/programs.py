"""Compiled programs, one for all models of the same architecture.

TensorFlow keeps what XLA has compiled until the process ends, whatever becomes of the function: 13 MB for a program of
names. A process that loads many models, or the same one many times, must not compile each anew.
"""

import threading
from collections.abc import Callable
from typing import Any

from kerasgen.models.backend import keras, tf

_MOST = 64  # functions that are kept for models to come; what XLA has compiled stays in any case
_functions: dict[tuple[Any, ...], Any] = {}  # none of them holds a model
_called = threading.local()  # whose call is traced


class Program:
    """A method of what computes with a model, compiled by XLA; models of the same architecture share it.

    It takes the model's weights as they are at each call.

    Args:
        char_model: the model, by the contract.
        method: a function, called with `owner` and what the program is called with. It computes with `char_model`.
        owner: what it is a method of.
        facts: what the program depends on besides the model's architecture and what it is called with.
        xla: False for a program that only calls others.
    """

    def __init__(self, char_model: Any, method: Callable[..., Any], owner: Any, *facts: Any, xla: bool = True):
        self._owner, self._variables = owner, []
        if not hasattr(char_model, "keras_model"):  # nothing tells it from others
            self._function = _compiled(method, xla)
            return
        self._variables = char_model.keras_model().weights
        shapes = tuple((tuple(v.shape), v.dtype, v.trainable) for v in self._variables)
        key = (method, facts, type(char_model), char_model.vocab_size, char_model.compute_dtype, shapes)
        function = _functions.get(key)
        if function is None:
            if len(_functions) == _MOST:
                _functions.pop(next(iter(_functions)), None)
            function = _functions[key] = _compiled(method, xla)
        self._function = function

    def __call__(self, *given: Any) -> Any:
        """Compute, and compile first where nothing alike was computed before."""
        before, _called.program = getattr(_called, "program", None), self
        try:
            return self._function([tf.convert_to_tensor(v.value) for v in self._variables], *given)
        finally:
            _called.program = before

    def traced(self, method: Callable[..., Any], weights: list[Any], *given: Any) -> Any:
        """Call the method with tensors in the place of the model's variables."""
        with keras.StatelessScope(state_mapping=list(zip(self._variables, weights, strict=True))):
            return method(self._owner, *given)


def _compiled(method: Callable[..., Any], xla: bool) -> Any:
    def traced(weights, *given):
        return _called.program.traced(method, weights, *given)

    return tf.function(traced, jit_compile=xla, autograph=False)
