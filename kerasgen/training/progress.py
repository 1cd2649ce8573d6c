"""Where a training is."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Where a training is, beside the variables of model and optimizer; `fit` keeps it up to date.

    Attributes:
        smoothed_loss: the notebook's running mean; None before the first step.
        losses: of the steps of the running epoch; none where an epoch has just ended.
        epochs: the logs of each epoch that has ended, and the number of steps behind it, ``step``.
        stopped: whether a callback has ended the training.
    """

    smoothed_loss: float | None = None
    losses: list[float] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    stopped: bool = False
