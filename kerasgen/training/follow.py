"""What a worker does that is not the chief: the chief's own steps, as it is told, without anything around them."""

import contextlib
import json
import math
from collections.abc import Callable
from typing import Any

from kerasgen.base.errors import DivergedError
from kerasgen.models.contract import CharModel
from kerasgen.training.program import Program
from kerasgen.training.replicas import END, STATE, Workers


def follow(
    model: CharModel, batches: Any, replicas: Workers, *, chunk: int, signalled: Callable[[], int] = lambda: 0
) -> dict[str, Any]:
    """Make the steps of the chief's `fit`, until it ends; then the weights are those that it has.

    Args:
        model: as the chief's; its values need not be.
        batches: as for `fit`, and the same as the chief's.
        replicas: the workers.
        chunk: as for `fit`.
        signalled: returns the number of the signal that asks this process to stop, or 0; the chief decides.

    Returns:
        What the chief says of the end.

    Raises:
        LostError: another worker has ended or does not answer.
    """
    keras_model = model.keras_model()
    program = Program(model, batches(0, 1).shape[1:], chunk, replicas)
    while True:
        order, rate = replicas.exchange(END, math.nan, signalled())
        if order == END:
            message = json.loads(replicas.share())
            replicas.share_variables(keras_model.weights if message["trained"] else ())
            return message
        if order == STATE:
            replicas.share_variables(program.state)
            continue
        if not math.isnan(rate):
            keras_model.optimizer.learning_rate = rate
        with contextlib.suppress(DivergedError):  # the chief has the same losses, and says so
            program.make(batches(int(keras_model.optimizer.iterations), order))
