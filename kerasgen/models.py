"""The models: ids in, logits out, and a step with an explicit state."""

import numpy as np

from kerasgen.backend import keras, tf
from kerasgen.recurrence import lstm, simple_rnn_gradients


def notebook_weights(seed: int, vocab_size: int, units: int, scale: float = 0.01) -> list[np.ndarray]:
    """Draw initial weights as the course's notebook does: three normal draws and zero biases, in Keras' layout.

    Args:
        seed: the seed of NumPy's legacy generator; the notebook's is 1.
        vocab_size: the number of characters.
        units: the size of the hidden state.
        scale: the standard deviation.

    Returns:
        Kernel ``(vocab, units)``, recurrent kernel ``(units, units)``, bias ``(units,)``, output kernel
        ``(units, vocab)``, output bias ``(vocab,)``, all float64.
    """
    draw = np.random.RandomState(seed).randn
    kernel, recurrent, out_kernel = draw(units, vocab_size), draw(units, units), draw(vocab_size, units)
    return [kernel.T * scale, recurrent.T * scale, np.zeros(units), out_kernel.T * scale, np.zeros(vocab_size)]


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
        **kwargs: `name` and `dtype`, as for any Keras model.
    """

    def __init__(
        self,
        vocab_size,
        units=50,
        *,
        recurrent_dropout=0.0,
        recurrent_l2=0.0,
        carry_state=False,
        batch_size=1,
        seed=0,
        **kwargs,
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
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 1),
            recurrent_regularizer=keras.regularizers.L2(recurrent_l2) if recurrent_l2 else None,
            dtype=self.dtype_policy,
            name="rnn",
        )
        glorot = keras.initializers.GlorotUniform(seed + 2)
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

    def call(self, ids, state=None, mask=None, return_state=False):
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

    def initial_state(self, batch_size):
        """Return the state before the first character, zeros ``(batch, units)``."""
        return tf.zeros((batch_size, self.units), self.compute_dtype)

    def step(self, ids, state):
        """Go one character on.

        Args:
            ids: int32 ``(batch,)``; -1 is the zero input.
            state: ``(batch, units)``.

        Returns:
            The logits of the next character ``(batch, vocab)`` and the new state ``(batch, units)``.
        """
        hidden, (state,) = self.rnn.cell(self._one_hot(ids), [state])
        return self.out(hidden), state

    def gradients(self, weights, rows, state, step):
        """Compute a batch's loss and gradients as a pure function, fast: what `training.fit` takes.

        Args:
            weights: tensors in the order of `trainable_variables`.
            rows: int32 ``(batch, time + 1)``, inputs and (one place on) targets.
            state: ``(batch, units)`` before the first step.
            step: int scalar, the number of the training step: the key of its dropout mask.

        Returns:
            The loss (mean nats a name, without the penalty of `recurrent_l2`), the gradients of loss and penalty in the
            order of `weights`, the last state ``(batch, units)``.
        """
        kernel, recurrent, *rest = (tf.cast(w, self.compute_dtype) for w in weights)
        mask = self._dropout_mask(step)
        loss, gradients, state = simple_rnn_gradients([kernel, mask * recurrent, *rest], rows, state)
        gradients[1] = mask * gradients[1] + 2 * self.recurrent_l2 * recurrent
        return loss, [tf.cast(g, w.dtype) for g, w in zip(gradients, weights, strict=True)], state

    def train_step(self, data):
        """Do one step of plain `fit`, through the stock layers and a `GradientTape`.

        Args:
            data: inputs and targets, int32 ``(batch, time)`` each.
        """
        inputs, targets = data
        state = self.carried[0] if self.carry_state else self.initial_state(tf.shape(inputs)[0])
        with tf.GradientTape() as tape:
            kernel, recurrent, bias = (v.value for v in self.rnn.trainable_variables)
            masked = [kernel, tf.cast(self._dropout_mask(self.optimizer.iterations), recurrent.dtype) * recurrent, bias]
            fixed = [v.value for v in self.rnn.non_trainable_variables]  # Keras' generator of seeds, not used here
            (states, last), _ = self.rnn.stateless_call(
                masked,
                fixed,
                self._one_hot(inputs),
                initial_state=tf.cast(state, self.compute_dtype),
                mask=targets >= 0,
            )
            loss = self.compute_loss(x=inputs, y=targets, y_pred=self.out(states))
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        if self.carry_state:
            self.carried[0].assign(tf.cast(last, self.carried[0].dtype))
        self._loss_tracker.update_state(loss)
        return {"loss": self._loss_tracker.result()}

    def get_config(self):
        """Return the constructor's arguments."""
        config = super().get_config()
        for name in ("vocab_size", "units", "recurrent_dropout", "recurrent_l2", "carry_state", "batch_size", "seed"):
            config[name] = getattr(self, name)
        return config

    def _one_hot(self, ids):
        return tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype)

    def _dropout_mask(self, step):
        """Return the factors of the recurrent kernel's rows, ``(units, 1)``, or 1 where there is no dropout."""
        if not self.recurrent_dropout:
            return tf.ones((), self.compute_dtype)
        key = tf.stack([tf.constant(self.seed, tf.int64), tf.cast(step, tf.int64)])
        uniform = _uniform(key, (self.units, 1))
        keep = 1 - self.recurrent_dropout
        return tf.cast(uniform < keep, self.compute_dtype) / keep


@tf.function(jit_compile=True)
def _uniform(key, shape):
    """Draw numbers in [0, 1); always compiled, as for a key that is no constant XLA and TensorFlow differ."""
    return tf.random.stateless_uniform(shape, key, alg="philox")


def stacked_lstm(vocab_size, units=128, *, dropout=0.5, dtype="float32", seed=0):
    """Make the prose model: two stacked LSTM layers of stock Keras, ids in, logits out.

    The first layer looks letters up in an identity matrix that is not trained: one-hot vectors, without any in memory.

    Args:
        vocab_size: the number of characters.
        units: the size of each layer's state.
        dropout: the share of each layer's output that is dropped while training.
        dtype: the precision, as for any Keras layer.
        seed: the seed of the initial weights.
    """
    init = keras.initializers
    layers: list = [keras.Input((None,), dtype="int32", name="ids")]
    one_hot = init.Identity()
    layers.append(
        keras.layers.Embedding(
            vocab_size, vocab_size, embeddings_initializer=one_hot, trainable=False, dtype=dtype, name="one_hot"
        )
    )
    for number in (1, 2):
        layers.append(
            keras.layers.LSTM(
                units,
                return_sequences=True,
                kernel_initializer=init.GlorotUniform(seed + 2 * number),
                recurrent_initializer=init.Orthogonal(seed=seed + 2 * number + 1),
                dtype=dtype,
                name=f"lstm_{number}",
            )
        )
        layers.append(keras.layers.Dropout(dropout, seed=seed + number, dtype=dtype, name=f"dropout_{number}"))
    out = keras.layers.Dense(vocab_size, kernel_initializer=init.GlorotUniform(seed), dtype=dtype, name="out")
    return keras.Sequential([*layers, out], name="shakespeare")


class LSTMPasses:
    """The explicit-state step and the fast training pass of a `stacked_lstm`, which stays a stock Keras model.

    Args:
        model: from `stacked_lstm`, or loaded.
        target: ``"every"`` learns to predict at every position of a window, ``"next"`` at its end only.
        recurrent_dropout: the share of the hidden states that is hidden from the recurrent kernels in a step of
            training, the same for all windows of its batch.
        seed: the key of the dropout masks.
        shards: into how many parts a batch is cut inside the loops over time.
    """

    carried: list = []  # every window begins with a state of zeros

    def __init__(self, model, *, target="every", recurrent_dropout=0.0, seed=0, shards=1):
        if target not in ("every", "next"):
            raise ValueError(f"target must be 'every' or 'next'; received {target!r}")
        self.model, self.target, self.seed, self.shards = model, target, seed, shards
        self.recurrent_dropout = recurrent_dropout
        self.lstms = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
        self.rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
        self.out = model.layers[-1]
        self.compute_dtype = model.layers[-1].compute_dtype
        self.vocab_size = self.out.units

    def initial_state(self, batch_size):
        """Return the state before the first character: h and c of each layer, zeros ``(batch, units)``."""
        zeros = [tf.zeros((batch_size, layer.units), self.compute_dtype) for layer in self.lstms for _ in "hc"]
        return tuple(zeros)

    def step(self, ids, state):
        """Go one character on.

        Args:
            ids: int32 ``(batch,)``.
            state: a tuple like that of `initial_state`.

        Returns:
            The logits of the next character ``(batch, vocab)`` and the new state.
        """
        x, new = tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype), []
        for number, layer in enumerate(self.lstms):
            x, states = layer.cell(x, list(state[2 * number : 2 * number + 2]))
            new += states
        return self.out(x), tuple(new)

    def logits(self, weights, ids, state, key=None):
        """Compute the logits of whole windows, fast.

        Args:
            weights: tensors in the order of the model's `trainable_variables`.
            ids: int32 ``(batch, time)``.
            state: as for `step`.
            key: int scalar, the key of the dropout masks; None for no dropout.

        Returns:
            Logits ``(time, batch, vocab)`` in the order of time, and the last state.
        """
        *layers, out_kernel, out_bias = (tf.cast(w, self.compute_dtype) for w in weights)
        batch, time = ids.shape
        x = tf.one_hot(tf.reshape(tf.transpose(ids), [-1]), self.vocab_size, dtype=self.compute_dtype)
        new = []
        for number, layer in enumerate(self.lstms):
            kernel, recurrent, bias = layers[3 * number : 3 * number + 3]
            if key is not None and self.recurrent_dropout:
                recurrent *= self._mask((layer.units, 1), self.recurrent_dropout, key, 2 * number)
            projected = tf.reshape(tf.matmul(x, kernel) + bias, (time, batch, 4 * layer.units))
            states, last = lstm(projected, recurrent, state[2 * number : 2 * number + 2], self.shards)
            new += last
            x = tf.reshape(states, (time * batch, layer.units))
            if key is not None and self.rates[number]:
                x *= self._mask(x.shape, self.rates[number], key, 2 * number + 1)
        if self.target == "next" and key is not None:
            x, time = x[-batch:], 1
        return tf.reshape(tf.matmul(x, out_kernel) + out_bias, (time, batch, self.vocab_size)), tuple(new)

    @tf.function(jit_compile=True)
    def advance(self, ids, state):
        """Read a stretch of one text: ids ``(1, time)`` and a state to logits ``(time, vocab)`` and the next state."""
        logits, state = self.logits([v.value for v in self.model.trainable_variables], ids, state)
        return logits[:, 0], state

    def gradients(self, weights, rows, state, step):
        """Compute a batch's loss and gradients: what `training.fit` takes.

        Args:
            weights: tensors in the order of the model's `trainable_variables`.
            rows: int32 ``(batch, time + 1)``, windows with the character that follows.
            state: as for `step`.
            step: int scalar, the number of the training step.

        Returns:
            The loss (mean nats a target), the gradients, the last state.
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, state = self.logits(weights, rows[:, :-1], state, key=step)
            targets = tf.transpose(rows[:, -1:] if self.target == "next" else rows[:, 1:])
            precise = tf.cast(logits, "float64" if self.compute_dtype == "float64" else "float32")
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, precise))
        return loss, tape.gradient(loss, weights), state

    def _mask(self, shape, rate, step, stream):
        key = tf.stack([tf.constant(self.seed * 8 + stream, tf.int64), tf.cast(step, tf.int64)])
        keep = _uniform(key, tuple(shape)) < 1 - rate
        return tf.cast(keep, self.compute_dtype) / (1 - rate)
