"""The notebook's procedure for names, written from the equations in plain NumPy: the oracle of the fast code.

Nothing here is imported by kerasgen. Weights are a dict with the notebook's names and layout: ``Wax (units, vocab)``,
``Waa (units, units)``, ``Wya (vocab, units)``, ``b (units,)``, ``by (vocab,)``; `keras_weights` turns them round.
"""

import numpy as np


def initial_weights(units, vocab_size, seed=1, scale=0.01):
    """Draw the notebook's weights: three normal draws in this order, zero biases."""
    rng = np.random.RandomState(seed)
    return {
        "Wax": rng.randn(units, vocab_size) * scale,
        "Waa": rng.randn(units, units) * scale,
        "Wya": rng.randn(vocab_size, units) * scale,
        "b": np.zeros(units),
        "by": np.zeros(vocab_size),
    }


def keras_weights(w):
    """Give the same weights in Keras' order and layout."""
    return [w["Wax"].T, w["Waa"].T, w["b"], w["Wya"].T, w["by"]]


def shuffled(examples, seed=0):
    """Return the examples in the notebook's order."""
    examples = list(examples)
    np.random.RandomState(seed).shuffle(examples)
    return examples


def softmax(z):
    """Softmax over the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def loss_and_gradients(w, ids, a0, stop=0):
    """One name: summed loss in nats, gradients, last hidden state.

    The inputs are a zero vector and then the letters; the targets are the letters and then the stop character.
    """
    return _loss_and_gradients(w, [None, *ids], [*ids, stop], a0)


def _loss_and_gradients(w, inputs, targets, a0):
    states, probs, loss = [a0], [], 0.0
    for x, y in zip(inputs, targets, strict=True):
        z = w["Waa"] @ states[-1] + w["b"]
        if x is not None:
            z = z + w["Wax"][:, x]
        states.append(np.tanh(z))
        probs.append(softmax(w["Wya"] @ states[-1] + w["by"]))
        loss -= np.log(probs[-1][y])
    grads = {name: np.zeros_like(value) for name, value in w.items()}
    da_next = np.zeros_like(a0)
    for t in reversed(range(len(inputs))):
        dy = probs[t].copy()
        dy[targets[t]] -= 1
        grads["Wya"] += np.outer(dy, states[t + 1])
        grads["by"] += dy
        dz = (1 - states[t + 1] ** 2) * (w["Wya"].T @ dy + da_next)
        grads["b"] += dz
        grads["Waa"] += np.outer(dz, states[t])
        if inputs[t] is not None:
            grads["Wax"][:, inputs[t]] += dz
        da_next = w["Waa"].T @ dz
    return loss, grads, states[-1]


def sgd_step(w, ids, a0, learning_rate=0.01, clip=5.0):
    """Train on one name, in place; return its summed loss and the last hidden state."""
    loss, grads, a = loss_and_gradients(w, ids, a0)
    for name, g in grads.items():
        np.clip(g, -clip, clip, out=g)
        w[name] -= learning_rate * g
    return loss, a


def sample(w, uniforms, stop=0, max_length=50):
    """Draw one name's ids by inverse CDF, one uniform a character; the stop character is not part of it."""
    a, x, ids = np.zeros_like(w["b"]), None, []
    for u in uniforms[:max_length]:
        z = w["Waa"] @ a + w["b"]
        if x is not None:
            z = z + w["Wax"][:, x]
        a = np.tanh(z)
        p = softmax(w["Wya"] @ a + w["by"])
        cdf = np.cumsum(p)
        x = int(np.searchsorted(cdf / cdf[-1], u, side="right"))
        if x == stop:
            break
        ids.append(x)
    return ids


def notebook_uniforms(rows, length):
    """Give the uniforms that the notebook's reseeding draws: row i, position k comes from seed ``i + 2 k``."""
    return np.array([[np.random.RandomState(i + 2 * k).random_sample() for k in range(length)] for i in range(rows)])


def train(examples, w, steps, every=2000, rows=7, learning_rate=0.01):
    """Run the notebook's training; yield ``(step, smoothed loss, ids of the sampled names)`` every `every` steps.

    `examples` are lists of ids in their order; `w` changes in place.
    """
    a = np.zeros_like(w["b"])
    loss = -np.log(1.0 / len(w["by"])) * rows
    uniforms = notebook_uniforms(rows, 50)
    for j in range(steps):
        step_loss, a = sgd_step(w, examples[j % len(examples)], a, learning_rate)
        loss = 0.999 * loss + 0.001 * step_loss
        if j % every == 0:
            yield j, loss, [sample(w, u) for u in uniforms]


def forward_batch(w, ids, a0):
    """States ``(batch, time, units)`` and probabilities ``(batch, time, vocab)`` of many names side by side.

    `ids` is ``(batch, time)`` with -1 for the zero input; `a0` is ``(batch, units)``.
    """
    vocab_size = len(w["by"])
    states, a = [], a0
    for t in range(ids.shape[1]):
        x = np.where(ids[:, t, None] == np.arange(vocab_size), 1.0, 0.0)
        a = np.tanh(x @ w["Wax"].T + a @ w["Waa"].T + w["b"])
        states.append(a)
    states = np.stack(states, axis=1)
    return states, softmax(states @ w["Wya"].T + w["by"])
