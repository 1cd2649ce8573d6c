"""The score of the model that is fine-tuned. Importing this module imports no TensorFlow."""

from kerasgen.base import console
from kerasgen.tasks.task import StartingPoint, Task


class ParentScore:
    """The score of the model that is fine-tuned, which may stay the best: then its weights stay.

    Args:
        task: what is trained.
        start: what the training begins with.
        stopping: the callback that keeps the best weights, or None.
        resumed: whether a checkpoint was restored, which knows the score already.
        generator: of the model.

    Attributes:
        callback: tells `stopping` when the training begins; None where there is nothing to tell.
    """

    def __init__(self, task: Task, start: StartingPoint, stopping, resumed: bool, generator):
        self.callback, self._stopping = None, stopping
        if not (start.parent and stopping) or resumed:
            return
        from kerasgen.models.backend import keras

        self._score = task.validate(generator)["val_bits_per_char"]

        def remember(_):
            stopping.best, stopping.best_weights = self._score, generator.model.get_weights()

        self.callback = keras.callbacks.LambdaCallback(on_train_begin=remember)

    def tell(self) -> None:
        """Say so where no epoch was better."""
        if self.callback and self._stopping.best == self._score:
            console.note(f"no epoch was better than the model before ({self._score:.4f} bits/char): its weights stay")
