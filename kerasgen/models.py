"""The models: ids in, logits out, and a step with an explicit state."""

import numpy as np

from kerasgen.backend import keras, tf
from kerasgen.recurrence import lstm_stack, lstm_step, simple_rnn_gradients


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

    Attributes:
        fused: whether `gradients` computes by kerasgen's own loops, or through Keras' layers, slower on a CPU.
    """

    fused = True

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

    def parts(self, batch_size):
        """Tell into how many parts `training.fit` shall cut a batch: one, as names are too short to be worth more."""
        return 1

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
        if not self.fused:
            return self._stock_gradients(weights, rows, state, step)
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

    def _one_hot(self, ids):
        return tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype)

    def _dropout_mask(self, step):
        """Return the factors of the recurrent kernel's rows, ``(units, 1)``, or 1 where there is no dropout."""
        if not self.recurrent_dropout:
            return tf.ones((), self.compute_dtype)
        place = tf.range(self.units)[:, None]
        return _dropout(place, self.recurrent_dropout, (self.seed, 0), step, self.compute_dtype)


def _dropout(places, rate, seed, step, dtype):
    """Return factors that drop a share `rate` and scale the rest up: a function of seed, step and place alone.

    Every number is a hash of its place, so none depends on which others are drawn with it, and XLA computes them where
    they are used; drawing as many with philox would take a third of a training step.

    Args:
        places: int tensor, the places' numbers.
        rate: the share.
        seed: two ints, the seed and the number of the layer.
        step: int scalar.
        dtype: of the factors.
    """
    key = _hash(_hash(tf.constant(seed[0], tf.uint32)) ^ tf.constant(seed[1], tf.uint32))
    key = _hash(key ^ tf.cast(step, tf.uint32))
    number = _hash(_hash(tf.cast(places, tf.uint32) ^ key) + key)
    kept = number < tf.constant(round((1 - rate) * 2**32) - 1, tf.uint32)
    return tf.cast(kept, dtype) / (1 - rate)


def _hash(x):
    """Mix 32 bits (the constants are Wellons' "lowbias32", 2018)."""
    shift = tf.bitwise.right_shift
    x = (x ^ shift(x, 16)) * tf.constant(0x7FEB352D, tf.uint32)
    x = (x ^ shift(x, 15)) * tf.constant(0x846CA68B, tf.uint32)
    return x ^ shift(x, 16)


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
                    layers[n][1] *= _dropout(rows[:, None], self.recurrent_dropout, seed, key, self.compute_dtype)
                if rate:
                    texts = tf.range(time)[:, None] * (parts * batch) + part * batch + tf.range(batch)  # (time, batch)
                    places = texts[..., None] * layer.units + rows
                    factors[n] = _dropout(places, rate, (self.seed, 2 * n + 1), key, self.compute_dtype)
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
