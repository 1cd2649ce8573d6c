"""The model of prose: a stacked LSTM."""

from kerasgen.models.backend import keras, tf
from kerasgen.models.dropout import dropout_factors
from kerasgen.models.lstm_passes import lstm_stack, lstm_step


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
        fused: compute by kerasgen's own loops; else by Keras' layers, slower on a CPU, by cuDNN on a GPU.
    """

    carried: list = []  # every window begins with a state of zeros

    def __init__(self, model, *, target="every", recurrent_dropout=0.0, seed=0, fused=True):
        if target not in ("every", "next"):
            raise ValueError(f"target must be 'every' or 'next'; received {target!r}")
        self.model, self.target, self.seed, self.fused = model, target, seed, fused
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
        layers, out_kernel, out_bias = self._layers([v.value for v in self.model.trainable_variables])
        top, new = lstm_step(ids, layers, self._pairs(state))
        return tf.matmul(top, out_kernel) + out_bias, tuple(tf.nest.flatten(new))

    def logits(self, weights, ids, state, key=None, part=0, parts=1):
        """Compute the logits of whole windows, fast.

        Args:
            weights: tensors in the order of the model's `trainable_variables`.
            ids: int32 ``(batch, time)``.
            state: as for `step`.
            key: int scalar, the key of the dropout masks; None for no dropout.
            part: which part of a larger batch these windows are (an int scalar): the masks are drawn for all of it.
            parts: how many equal parts that batch has.

        Returns:
            Logits ``(time, batch, vocab)`` in the order of time, and the last state.
        """
        layers, out_kernel, out_bias = self._layers(weights)
        batch, time = ids.shape
        factors: list = [None] * len(layers)
        if key is not None:
            for n, (layer, rate) in enumerate(zip(self.lstms, self.rates, strict=True)):
                rows = tf.range(layer.units)
                if self.recurrent_dropout:
                    seed = (self.seed, 2 * n)
                    layers[n][1] *= dropout_factors(
                        rows[:, None], self.recurrent_dropout, seed, key, self.compute_dtype
                    )
                if rate:
                    texts = tf.range(time)[:, None] * (parts * batch) + part * batch + tf.range(batch)  # (time, batch)
                    places = texts[..., None] * layer.units + rows
                    factors[n] = dropout_factors(places, rate, (self.seed, 2 * n + 1), key, self.compute_dtype)
        if self.fused or key is None:  # the stock layers are there to learn with
            x, last = lstm_stack(tf.transpose(ids), layers, self._pairs(state), factors=factors[:-1])
            state = tuple(tf.nest.flatten(last))
        else:
            x = self._stock_layers(ids, layers, factors[:-1])
        x = x if factors[-1] is None else x * factors[-1]
        if self.target == "next" and key is not None:
            x = x[-1:]
        logits = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), out_kernel) + out_bias
        return tf.reshape(logits, (-1, batch, self.vocab_size)), state

    def _layers(self, weights):
        """Return kernel, recurrent kernel and bias of each LSTM, then the output's kernel and bias."""
        *flat, out_kernel, out_bias = (tf.cast(w, self.compute_dtype) for w in weights)
        return [flat[3 * n : 3 * n + 3] for n in range(len(self.lstms))], out_kernel, out_bias

    def _pairs(self, state):
        return [state[2 * n : 2 * n + 2] for n in range(len(self.lstms))]

    def _stock_layers(self, ids, layers, factors):
        """Run Keras' own layers from a state of zeros; the last one's h, ``(time, batch, units)``."""
        x = tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype)  # (batch, time, vocab)
        for layer, weights, below in zip(self.lstms, layers, [None, *factors], strict=True):
            x = x if below is None else x * tf.transpose(below, (1, 0, 2))
            x, _ = layer.stateless_call(weights, [v.value for v in layer.non_trainable_variables], x)
        return tf.transpose(x, (1, 0, 2))

    @tf.function(jit_compile=True)
    def advance(self, ids, state):
        """Read a stretch of one text: ids ``(1, time)`` and a state to logits ``(time, vocab)`` and the next state."""
        logits, state = self.logits([v.value for v in self.model.trainable_variables], ids, state)
        return logits[:, 0], state

    def parts(self, batch_size):
        """Tell into how many parts a batch is best cut, so that each core can compute the gradients of one."""
        return 2 if self.fused and batch_size % 2 == 0 else 1

    def gradients(self, weights, rows, state, step, part=0, parts=1):
        """Compute a batch's loss and gradients: what `training.fit` takes.

        Args:
            weights: tensors in the order of the model's `trainable_variables`.
            rows: int32 ``(batch, time + 1)``, windows with the character that follows.
            state: as for `step`.
            step: int scalar, the number of the training step.
            part: which part of a larger batch the rows are.
            parts: how many parts that batch has.

        Returns:
            The loss (mean nats a target of these rows), the gradients, the last state.
        """
        with tf.GradientTape() as tape:
            tape.watch(weights)
            logits, state = self.logits(weights, rows[:, :-1], state, step, part, parts)
            targets = tf.transpose(rows[:, -1:] if self.target == "next" else rows[:, 1:])
            precise = tf.cast(logits, "float64" if self.compute_dtype == "float64" else "float32")
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, precise))
        return loss, tape.gradient(loss, weights), state
