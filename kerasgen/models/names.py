"""The model of names: a SimpleRNN, as a Keras model and as a `CharModel`."""

from typing import Any

from kerasgen.models.backend import keras, tf
from kerasgen.models.dropout import dropout_mask
from kerasgen.models.simple_rnn_passes import simple_rnn_gradients

LARGE = 512  # characters; above, they are looked up, as one-hot vectors would take most of the memory


@keras.saving.register_keras_serializable(package="kerasgen")
def nats_per_name(targets, logits):
    """Give each name's summed cross-entropy in nats, ``(batch,)``: the loss that a `NameRNN` is compiled with.

    Args:
        targets: int ids ``(batch, time)``; -1 is padding and costs nothing.
        logits: ``(batch, time, vocab)``.
    """
    targets = tf.cast(targets, tf.int32)  # Keras hands them over in the dtype of the loss
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(targets, 0), logits)
    return tf.reduce_sum(tf.where(targets >= 0, losses, 0), axis=-1)


@keras.saving.register_keras_serializable(package="kerasgen")
class NameRNN(keras.Model):
    """A character-level model of names: one `keras.layers.SimpleRNN` and a `keras.layers.Dense`.

    Args:
        vocab_size: the number of characters.
        units: the size of the hidden state.
        recurrent_dropout: the share of the hidden state that is hidden from the recurrent kernel while a batch is
            learned, one mask a step of training (Gal and Ghahramani 2016); a function of `seed` and the step's number.
        recurrent_l2: this times the sum of the squared recurrent kernel is added to the loss that is minimised.
        carry_state: begin a batch with the last states of the batch before it.
        batch_size: names a batch; it shapes the carried state and nothing else.
        seed: the seed of Keras' initial weights (Glorot uniform, orthogonal) and the key of the dropout masks.
        drawn: draw initial weights; else they are zeros, for a model that is given others at once.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Attributes:
        fused: whether it is trained by kerasgen's own loops, or by Keras' layers, slower on a CPU.
        small_loops_fused: whether XLA compiles small loops into one kernel; see `backend.fuse_small_loops`.
        carried: the carried state, one variable ``(batch_size, units)`` or none; see `CharModel`.
    """

    fused = True
    small_loops_fused = False

    def __init__(
        self,
        vocab_size: int,
        units: int = 50,
        *,
        recurrent_dropout: float = 0.0,
        recurrent_l2: float = 0.0,
        carry_state: bool = False,
        batch_size: int = 1,
        seed: int = 0,
        drawn: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.vocab_size, self.units = vocab_size, units
        self.recurrent_dropout, self.recurrent_l2 = recurrent_dropout, recurrent_l2
        self.carry_state, self.batch_size, self.seed = carry_state, batch_size, seed
        self.rnn = keras.layers.SimpleRNN(
            units,
            return_sequences=True,
            return_state=True,
            kernel_initializer=keras.initializers.GlorotUniform(seed) if drawn else "zeros",
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 1) if drawn else "zeros",
            recurrent_regularizer=keras.regularizers.L2(recurrent_l2) if recurrent_l2 else None,
            dtype=self.dtype_policy,
            name="rnn",
        )
        glorot = keras.initializers.GlorotUniform(seed + 2) if drawn else "zeros"
        self.out = keras.layers.Dense(vocab_size, kernel_initializer=glorot, dtype=self.dtype_policy, name="out")
        self.rnn.build((None, None, vocab_size))
        self.out.build((None, None, units))
        self.carried = []
        if carry_state:
            self.carried.append(
                self.add_weight(shape=(batch_size, units), initializer="zeros", trainable=False, name="carried_state")
            )
        self.built = True

    def build(self, input_shape=None):
        """Do nothing: the layers are built with the model, as every shape is known then."""

    def call(self, ids: Any, state: Any = None, mask: Any = None, return_state: bool = False) -> Any:
        """Map ids to logits.

        Args:
            ids: int32 ``(batch, time)``; -1 is the zero input.
            state: ``(batch, units)`` before the first step; None for zeros.
            mask: bool ``(batch, time)``, False where the state shall pass unchanged.
            return_state: also return the last state.

        Returns:
            Logits ``(batch, time, vocab)``, and the state after the last step ``(batch, units)`` where asked for.
        """
        states, last = self.rnn(self._one_hot(ids), initial_state=state, mask=mask)
        logits = self.out(states)
        return (logits, last) if return_state else logits

    def keras_model(self):
        """Return the model itself; see `CharModel.keras_model`."""
        return self

    @property
    def xla(self):
        """Whether XLA compiles the training; see `CharModel`."""
        return self.fused

    def initial_state(self, batch_size):
        """Return the state before the first character, zeros ``(batch, units)``."""
        return tf.zeros((batch_size, self.units), self.compute_dtype)

    def step(self, ids, state):
        """Read one character of each text; see `CharModel.step`."""
        if self.vocab_size > LARGE:
            state = self._next(self._letters(ids), state)
            return self.out(state), state
        ids = tf.where(ids < 0, self.vocab_size, ids)  # zeros likewise; in ONNX, -1 would be the last letter
        hidden, (state,) = self.rnn.cell(self._one_hot(ids), [state])
        return self.out(hidden), state

    def logits(self, ids, state):
        """Read many characters of each text; see `CharModel.logits`."""
        if self.vocab_size <= LARGE:
            return self(ids, state=state, return_state=True)
        letters, time = tf.transpose(self._letters(ids), (1, 0, 2)), ids.shape[1]  # (time, batch, units)

        def forward(t, state, states):
            state = self._next(tf.gather(letters, t), state)
            return t + 1, state, states.write(t, state)

        kept = tf.TensorArray(self.compute_dtype, time, element_shape=(ids.shape[0], self.units))
        _, last, states = tf.while_loop(lambda t, *_: t < time, forward, (0, state, kept))
        return tf.transpose(self.out(states.stack()), (1, 0, 2)), last

    def hidden(self, state):
        """Return the only layer's state; see `CharModel.hidden`."""
        return [state]

    def shards(self, batch_size, cores=None):
        """Return 1: names are too short for more to pay; see `CharModel.shards`."""
        return 1

    def loss_and_gradients(self, weights, rows, state, step, shard=0, shards=1):
        """Compute a training batch's loss and gradients; see `CharModel.loss_and_gradients`.

        The loss is the mean over the names of each name's summed nats, without the penalty of `recurrent_l2`; the
        gradients are those of loss and penalty.
        """
        if not self.fused:
            return self._stock_gradients(weights, rows, state, step)
        kernel, recurrent, *rest = (tf.cast(w, self.compute_dtype) for w in weights)
        mask = self._dropout_mask(step)
        masked = [kernel, mask * recurrent, *rest]
        fused = self.small_loops_fused
        loss, gradients, state = simple_rnn_gradients(masked, rows, state, small_loops_fused=fused)
        gradients[1] = mask * gradients[1] + 2 * self.recurrent_l2 * recurrent
        return loss, [tf.cast(g, w.dtype) for g, w in zip(gradients, weights, strict=True)], state

    def train_step(self, data: Any) -> dict[str, Any]:
        """Do one step of plain `fit`, through the stock layers and a `GradientTape`.

        Args:
            data: inputs and targets, int32 ``(batch, time)`` each.
        """
        inputs, targets = data
        state = self.carried[0] if self.carry_state else self.initial_state(tf.shape(inputs)[0])
        with tf.GradientTape() as tape:
            weights = [v.value for v in self.trainable_variables]
            logits, last = self._stock_logits(weights, inputs, targets >= 0, state, self.optimizer.iterations)
            loss = self.compute_loss(x=inputs, y=targets, y_pred=logits)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        if self.carry_state:
            self.carried[0].assign(tf.cast(last, self.carried[0].dtype))
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def _stock_logits(self, weights, ids, mask, state, step):
        """Go through Keras' own layers: the logits and the last state."""
        kernel, recurrent, bias, *out = weights
        recurrent = tf.cast(self._dropout_mask(step), recurrent.dtype) * recurrent
        fixed = [v.value for v in self.rnn.non_trainable_variables]  # Keras' generator of seeds, not used here
        state = tf.cast(state, self.compute_dtype)
        letters = self._one_hot(ids)
        given = [kernel, recurrent, bias], fixed, letters
        (states, last), _ = self.rnn.stateless_call(*given, initial_state=state, mask=mask)
        return self.out.stateless_call(out, [], states)[0], last

    def _stock_gradients(self, weights, rows, state, step):
        targets = rows[:, 1:]
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, last = self._stock_logits(weights, rows[:, :-1], targets >= 0, state, step)
            loss = tf.reduce_mean(nats_per_name(targets, logits))
            total = loss + self.recurrent_l2 * tf.reduce_sum(tf.square(weights[1]))
        return loss, tape.gradient(total, weights), last

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        for name in ("vocab_size", "units", "recurrent_dropout", "recurrent_l2", "carry_state", "batch_size", "seed"):
            config[name] = getattr(self, name)
        return config

    def _letters(self, ids):
        """Return what the letters add to the hidden state, ``(..., units)``: rows of the kernel, and the bias."""
        kernel, bias = (tf.cast(w.value, self.compute_dtype) for w in (self.rnn.cell.kernel, self.rnn.cell.bias))
        return tf.gather(kernel, tf.maximum(ids, 0)) * tf.cast(ids >= 0, kernel.dtype)[..., None] + bias

    def _next(self, letters, state):
        """Return the hidden state after one more letter of each text."""
        return tf.tanh(letters + tf.matmul(state, tf.cast(self.rnn.cell.recurrent_kernel.value, self.compute_dtype)))

    def _one_hot(self, ids):
        return tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype)

    def _dropout_mask(self, step):
        """Return the mask of the recurrent kernel's rows, ``(units, 1)``, or 1 where there is no dropout."""
        if not self.recurrent_dropout:
            return tf.ones((), self.compute_dtype)
        place = tf.range(self.units)[:, None]
        return dropout_mask(place, self.recurrent_dropout, (self.seed, 0), step, self.compute_dtype)
