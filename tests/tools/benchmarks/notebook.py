"""The course notebook's procedure, in the manner of the notebook, written from the equations: the row to beat.

Columns of shape ``(n, 1)``, a one-hot column a letter, ``np.dot`` a time step, dicts of parameters and of gradients,
float64. Weights have the notebook's names and layout: ``Wax (units, vocab)``, ``Waa (units, units)``,
``Wya (vocab, units)``, ``b (units, 1)``, ``by (vocab, 1)``.
"""

import numpy as np


def columns(weights):
    """Turn the oracle's weights into the notebook's: biases become columns."""
    return {name: value.copy() if value.ndim == 2 else value[:, None].copy() for name, value in weights.items()}


def softmax(z):
    """Softmax of a column."""
    e = np.exp(z - np.max(z))
    return e / e.sum(axis=0)


def forward_step(parameters, x, a_prev):
    """Go one letter on: the new hidden state and the probabilities of the next letter."""
    z = np.dot(parameters["Wax"], x) + np.dot(parameters["Waa"], a_prev) + parameters["b"]
    a = np.tanh(z)
    return a, softmax(np.dot(parameters["Wya"], a) + parameters["by"])


def forward(inputs, targets, a0, parameters):
    """Run over a name; return its loss and, by time step, the one-hot inputs, hidden states and probabilities."""
    x, a, p, loss = {}, {-1: np.copy(a0)}, {}, 0.0
    vocab_size = parameters["by"].shape[0]
    for t, letter in enumerate(inputs):
        x[t] = np.zeros((vocab_size, 1))
        if letter is not None:
            x[t][letter] = 1
        a[t], p[t] = forward_step(parameters, x[t], a[t - 1])
        loss -= np.log(p[t][targets[t], 0])
    return loss, (x, a, p)


def backward_step(dy, gradients, parameters, x, a, a_prev):
    """Add one time step's share to the gradients."""
    gradients["dWya"] += np.dot(dy, a.T)
    gradients["dby"] += dy
    da = np.dot(parameters["Wya"].T, dy) + gradients["da_next"]
    dz = (1 - a * a) * da
    gradients["db"] += dz
    gradients["dWax"] += np.dot(dz, x.T)
    gradients["dWaa"] += np.dot(dz, a_prev.T)
    gradients["da_next"] = np.dot(parameters["Waa"].T, dz)


def backward(targets, parameters, cache):
    """Go back through a name; return the gradients by ``"d" + parameter``."""
    x, a, p = cache
    gradients = {"d" + name: np.zeros_like(value) for name, value in parameters.items()}
    gradients["da_next"] = np.zeros_like(a[0])
    for t in reversed(range(len(targets))):
        dy = np.copy(p[t])
        dy[targets[t]] -= 1
        backward_step(dy, gradients, parameters, x[t], a[t], a[t - 1])
    return gradients


def clip(gradients, limit, names):
    """Clip each gradient's elements in place."""
    for name in names:
        np.clip(gradients["d" + name], -limit, limit, out=gradients["d" + name])


def optimize(inputs, targets, a_prev, parameters, learning_rate, limit):
    """Learn one name, in place; return its loss and the last hidden state."""
    loss, cache = forward(inputs, targets, a_prev, parameters)
    gradients = backward(targets, parameters, cache)
    clip(gradients, limit, parameters)
    for name in parameters:
        parameters[name] += -learning_rate * gradients["d" + name]
    return loss, cache[1][len(inputs) - 1]
