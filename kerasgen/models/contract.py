"""The contract of every model: all that the generator, the engine, the scores and the monitor know of one."""

from typing import Any, Protocol

State = Any  # a tensor or a nest of tensors, batch first; its layout is the model's own


class CharModel(Protocol):
    """A character-level model with an explicit state: ids in, logits out.

    Ids are int32; id -1 means "no character": the zero input before a text begins, and padding after its end. All
    methods are pure functions of their arguments and the model's weights, so that any of them can stand in a program
    compiled by XLA.

    A *shard* is one of several equal parts of a batch, whose gradients are computed on their own: side by side on the
    cores of a machine, on several devices or by several processes. Loss and gradients of the batch are the means of
    those of its shards.

    Attributes:
        vocab_size: the number of characters.
        compute_dtype: the name of the dtype of states and activations.
        carried: the variables, ``(batch, ...)`` each, that hold the state which a batch hands on to the next while the
            model is trained; empty where every batch begins with `initial_state`.
        xla: whether XLA compiles a step of training as a whole; products outside it, and cuDNN's, do without.
    """

    vocab_size: int
    compute_dtype: str
    carried: list[Any]
    xla: bool

    def keras_model(self) -> Any:
        """Return the Keras model that holds the weights; compiled, where it is to be trained."""

    def initial_state(self, batch_size: Any) -> State:
        """Return the state before the first character."""

    def step(self, ids: Any, state: State) -> tuple[Any, State]:
        """Read one character of each text.

        Args:
            ids: ``(batch,)``.
            state: the state before it.

        Returns:
            The logits of the next character ``(batch, vocab)``, and the new state.
        """

    def logits(self, ids: Any, state: State) -> tuple[Any, State]:
        """Read many characters of each text, faster than step by step.

        Args:
            ids: ``(batch, time)``; texts of one length, or with a state after them that nobody asks for.
            state: the state before the first.

        Returns:
            The logits of every next character ``(batch, time, vocab)``, and the state after the last.
        """

    def hidden(self, state: State) -> list[Any]:
        """Return each layer's output in a state, ``(batch, units)`` each, the first layer first."""

    def shards(self, batch_size: int, cores: int | None = None) -> int:
        """Return into how many shards a batch is best cut on so many cores; 1 where state is carried.

        Args:
            batch_size: of all shards together.
            cores: None for those of this machine.
        """

    def loss_and_gradients(
        self, weights: list[Any], rows: Any, state: State, step: Any, shard: Any = 0, shards: int = 1
    ) -> tuple[Any, list[Any], State]:
        """Compute the loss of a training batch and its gradients, dropout included.

        Args:
            weights: tensors in the order of the Keras model's `trainable_variables`.
            rows: ``(batch, time + 1)``: inputs and, one place further, targets.
            state: the state before the first character; no gradient flows into it.
            step: int scalar, the number of the training step. With the model's seed it is the key of dropout.
            shard: int scalar, which shard of the batch the rows are.
            shards: how many shards the batch has.

        Returns:
            The loss (a scalar, in nats), its gradients in the order of `weights`, and the last state.
        """
