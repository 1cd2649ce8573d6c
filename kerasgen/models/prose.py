"""The model of prose: a stacked LSTM of stock Keras layers, and what makes it a `CharModel`."""

from typing import Any

from kerasgen.base import machine
from kerasgen.models.backend import keras, tf
from kerasgen.models.dropout import dropout_mask
from kerasgen.models.lstm_passes import lstm_stack, lstm_step
from kerasgen.models.lstm_unrolled import compiled, unrolled

DEPTH = 2  # LSTM layers
_ROWS = 8  # of a shard, at the least, on machines of many cores


def stacked_lstm(
    vocab_size, units=128, *, embedding=None, dropout=0.5, dtype="float32", seed=0, drawn=True, name="shakespeare"
):
    """Make the Keras model: two stacked LSTM layers, ids in, logits out.

    The first layer looks letters up in an identity matrix that is not trained: one-hot vectors, without any in memory.
    Of many characters that would be a large one: there the vectors are shorter, and learned.

    Args:
        vocab_size: the number of characters.
        units: the size of each layer's state.
        embedding: the size of each character's learned vector; None for one-hot vectors.
        dropout: the share of each layer's output that is dropped while training.
        dtype: the precision, as for any Keras layer.
        seed: the seed of the initial weights.
        drawn: draw initial weights; else they are zeros, for a model that is given others at once.
        name: as for any Keras model.
    """
    init = keras.initializers
    if embedding:  # as long as one-hot vectors, on average
        vectors = init.RandomNormal(stddev=embedding**-0.5, seed=seed) if drawn else "zeros"
        looked_up = keras.layers.Embedding(vocab_size, embedding, vectors, dtype=dtype, name="embedding")
    else:
        looked_up = keras.layers.Embedding(
            vocab_size, vocab_size, embeddings_initializer=init.Identity(), trainable=False, dtype=dtype, name="one_hot"
        )
    layers: list = [keras.Input((None,), dtype="int32", name="ids"), looked_up]
    for number in range(1, DEPTH + 1):
        lstm = keras.layers.LSTM(
            units,
            return_sequences=True,
            kernel_initializer=init.GlorotUniform(seed + 2 * number) if drawn else "zeros",
            recurrent_initializer=init.Orthogonal(seed=seed + 2 * number + 1) if drawn else "zeros",
            dtype=dtype,
            name=f"lstm_{number}",
        )
        layers += [lstm, keras.layers.Dropout(dropout, seed=seed + number, dtype=dtype, name=f"dropout_{number}")]
    glorot = init.GlorotUniform(seed) if drawn else "zeros"
    out = keras.layers.Dense(vocab_size, kernel_initializer=glorot, dtype=dtype, name="out")
    return keras.Sequential([*layers, out], name=name)


class ProseLSTM:
    """A `stacked_lstm` as a `CharModel`, computed by kerasgen's own loops; the model itself stays stock Keras.

    Args:
        keras_model: from `stacked_lstm`, or loaded.
        target: ``"every"`` learns to predict at every position of a window, ``"next"`` at its end only.
        recurrent_dropout: the share of the hidden states that is hidden from the recurrent kernels in a step of
            training, the same for all windows of its batch.
        seed: the seed of the dropout masks.
        fused: train by kerasgen's own loops; else by Keras' layers, slower on a CPU, by cuDNN on a GPU.
    """

    def __init__(self, keras_model, *, target="every", recurrent_dropout=0.0, seed=0, fused=True):
        if target not in ("every", "next"):
            raise ValueError(f"target must be 'every' or 'next'; received {target!r}")
        self._model, self.target, self.seed, self.fused = keras_model, target, seed, fused
        self.recurrent_dropout = recurrent_dropout
        numbers = range(1, DEPTH + 1)
        self.lstms = [keras_model.get_layer(f"lstm_{number}") for number in numbers]
        self.rates = [keras_model.get_layer(f"dropout_{number}").rate for number in numbers]
        self.out = keras_model.get_layer("out")
        self.vocab_size, self.compute_dtype = self.out.units, self.out.compute_dtype
        self.carried: list[Any] = []  # every window begins with a state of zeros
        # Bfloat16 pays in products that a processor makes of it, which XLA never does; the rest is faster as float32.
        self._passes_dtype = "float32" if fused and self.compute_dtype == "bfloat16" else self.compute_dtype
        self._unrolled = self._passes_dtype != self.compute_dtype and machine.multiplies_bfloat16()
        self.xla = fused and not self._unrolled

    def keras_model(self):
        """Return the stock Keras model; see `CharModel.keras_model`."""
        return self._model

    def initial_state(self, batch_size):
        """Return h and c of each layer, zeros ``(batch, units)`` each."""
        zeros = [tf.zeros((batch_size, layer.units), self.compute_dtype) for layer in self.lstms]
        return tuple((zero, zero) for zero in zeros)

    def step(self, ids, state):
        """Read one character of each text; see `CharModel.step`."""
        vectors, layers, head = self._layers(self._weights())
        top, state = lstm_step(ids, layers, state, vectors)
        return _dense(top, head), state

    def logits(self, ids, state):
        """Read many characters of each text; see `CharModel.logits`."""
        vectors, layers, head = self._layers(self._weights())
        top, state = lstm_stack(tf.transpose(ids), _folded(vectors, layers), state)
        return tf.transpose(_dense(top, head), (1, 0, 2)), state

    def hidden(self, state):
        """Return each layer's h; see `CharModel.hidden`."""
        return [h for h, _ in state]

    def shards(self, batch_size, cores=None):
        """Return as many shards as there are cores, if the batch can be cut so; see `CharModel.shards`."""
        most = min(cores or machine.cores(), max(2, batch_size // _ROWS)) if self.fused else 1
        return max(count for count in range(1, most + 1) if batch_size % count == 0)

    def loss_and_gradients(self, weights, rows, state, step, shard=0, shards=1):
        """Compute a training batch's loss (mean nats a target) and gradients; see `CharModel.loss_and_gradients`."""
        among_others = compiled if self._unrolled else lambda function: function
        with tf.GradientTape() as tape:
            tape.watch(weights)
            masked = among_others(lambda *given: self._masked(given, rows[:, :-1], step, shard, shards))
            vectors, layers, head, masks = masked(*weights)
            top, state = self._training_pass(rows[:, :-1], vectors, layers, state, masks[:-1])
            loss = among_others(self._loss)(top, masks[-1], head, rows)
        return loss, tape.gradient(loss, weights), state

    def _weights(self):
        return [v.value for v in self._model.trainable_variables]

    def _layers(self, weights, dtype=None):
        """Return the characters' vectors, None for one-hot; kernels and bias of each LSTM; then those of the output."""
        *flat, kernel, bias = (tf.cast(w, dtype or self.compute_dtype) for w in weights)
        vectors = flat.pop(0) if len(flat) > 3 * DEPTH else None
        return vectors, [flat[3 * n : 3 * n + 3] for n in range(DEPTH)], (kernel, bias)

    def _masked(self, weights, ids, step, shard, shards):
        """Return `_layers` with masked recurrent kernels, and the mask of each layer's output, None without dropout."""
        vectors, layers, head = self._layers(weights, self._passes_dtype)
        (batch, time), dtype, masks = ids.shape, self._passes_dtype, []
        for n, (lstm, rate) in enumerate(zip(self.lstms, self.rates, strict=True)):
            units = tf.range(lstm.units)
            if self.recurrent_dropout:
                layers[n][1] *= dropout_mask(units[:, None], self.recurrent_dropout, (self.seed, 2 * n), step, dtype)
            texts = tf.range(time)[:, None] * (shards * batch) + shard * batch + tf.range(batch)  # (time, batch)
            places = texts[..., None] * lstm.units + units
            masks.append(dropout_mask(places, rate, (self.seed, 2 * n + 1), step, dtype) if rate else None)
        return vectors, layers, head, masks

    def _loss(self, top, mask, head, rows):
        """Return the mean nats a target, given the last layer's h ``(time, batch, units)``, and its mask or None."""
        top = tf.cast(top, head[0].dtype)
        top = top if mask is None else top * mask
        logits = _dense(top[-1:] if self.target == "next" else top, head)
        targets = tf.transpose(rows[:, -1:] if self.target == "next" else rows[:, 1:])
        precise = tf.cast(logits, "float64" if self.compute_dtype == "float64" else "float32")
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, precise))

    def _training_pass(self, ids, vectors, layers, state, masks):
        """Return the last layer's h ``(time, batch, units)`` and the last state; Keras' layers begin with zeros."""
        if self.fused:
            passes = unrolled(tf.bfloat16) if self._unrolled else None
            state = [[tf.cast(x, self._passes_dtype) for x in pair] for pair in state]
            return lstm_stack(tf.transpose(ids), _folded(vectors, layers), state, masks=masks, passes=passes)
        one_hot = vectors is None
        x = tf.one_hot(ids, self.vocab_size, dtype=self.compute_dtype) if one_hot else tf.gather(vectors, ids)
        for lstm, weights, below in zip(self.lstms, layers, [None, *masks], strict=True):
            x = x if below is None else x * tf.transpose(below, (1, 0, 2))
            x, _ = lstm.stateless_call(weights, [v.value for v in lstm.non_trainable_variables], x)
        return tf.transpose(x, (1, 0, 2)), state


def _folded(vectors, layers):
    """Return the layers as those of one-hot characters: a row of the first kernel is what a character's vector adds."""
    if vectors is None:
        return layers
    (kernel, *others), *upper = layers
    return [[tf.matmul(vectors, kernel), *others], *upper]


def _dense(x, head):
    """Return x times kernel plus bias, in one product for all leading axes."""
    kernel, bias = head
    if len(x.shape) == 2:  # a step, whose batch may be of any size in an exported model
        return tf.matmul(x, kernel) + bias
    logits = tf.matmul(tf.reshape(x, (-1, x.shape[-1])), kernel) + bias
    return tf.reshape(logits, (*x.shape[:-1], kernel.shape[1]))
