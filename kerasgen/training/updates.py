"""A compiled optimizer's arithmetic on plain tensors, so that a loop of many steps writes no variable."""

from kerasgen.models.backend import keras, tf


class PlainUpdate:
    """What Keras' SGD, Adam or AdamW does to the weights, in its own order of operations.

    Args:
        optimizer: built; `fits` tells whether all of its settings are known here.
    """

    def __init__(self, optimizer):
        self.optimizer = optimizer
        if isinstance(optimizer, keras.optimizers.SGD):
            self.slots = list(optimizer.momentums)
        else:
            self.slots = [*optimizer._momentums, *optimizer._velocities]
        self._decays = [
            bool(optimizer.weight_decay) and optimizer._use_weight_decay(v) for v in optimizer._trainable_variables
        ]

    @staticmethod
    def fits(optimizer) -> bool:
        """Tell whether this class covers the optimizer completely."""
        if type(optimizer) not in (keras.optimizers.SGD, keras.optimizers.Adam, keras.optimizers.AdamW):
            return False
        others = ("use_ema", "loss_scale_factor", "gradient_accumulation_steps", "amsgrad")
        return not any(getattr(optimizer, name, None) for name in others)

    def __call__(self, weights, gradients, slots, learning_rate, step):
        """Return the new weights and slots.

        Args:
            weights: list of tensors.
            gradients: one for each weight.
            slots: the values of `slots`, in their order.
            learning_rate: scalar tensor.
            step: int scalar, the number of the step, from 0.
        """
        rate = [tf.cast(learning_rate, weight.dtype) for weight in weights]
        gradients = self._clipped(gradients)
        if any(self._decays):
            decay = tf.cast(self.optimizer.weight_decay, weights[0].dtype)  # by way of single precision, as Keras does
            weights = [w - w * decay * r if d else w for w, r, d in zip(weights, rate, self._decays, strict=True)]
        update = self._sgd if isinstance(self.optimizer, keras.optimizers.SGD) else self._adam
        return update(weights, gradients, slots, rate, step)

    def _clipped(self, gradients):
        optimizer = self.optimizer
        if optimizer.clipnorm:
            return [tf.clip_by_norm(g, optimizer.clipnorm) for g in gradients]
        if optimizer.global_clipnorm:
            return tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)[0]
        if optimizer.clipvalue:
            return [tf.clip_by_value(g, -optimizer.clipvalue, optimizer.clipvalue) for g in gradients]
        return gradients

    def _sgd(self, weights, gradients, slots, rate, step):
        moves = [g * r for g, r in zip(gradients, rate, strict=True)]
        if not slots:
            return [w - m for w, m in zip(weights, moves, strict=True)], []
        mu = tf.cast(self.optimizer.momentum, weights[0].dtype)  # by way of single precision, as Keras does
        slots = [s * mu - m for s, m in zip(slots, moves, strict=True)]
        steps = [s * mu - m for s, m in zip(slots, moves, strict=True)] if self.optimizer.nesterov else slots
        return [w + s for w, s in zip(weights, steps, strict=True)], slots

    def _adam(self, weights, gradients, slots, rate, step):
        """Kingma and Ba 2015, in the form before section 2.1: the bias correction is in the rate."""
        adam, count = self.optimizer, len(weights)
        b1, b2 = adam.beta_1, adam.beta_2
        first = [m + (g - m) * (1 - b1) for m, g in zip(slots[:count], gradients, strict=True)]
        second = [v + (g * g - v) * (1 - b2) for v, g in zip(slots[count:], gradients, strict=True)]
        new = []
        for weight, m, v, r in zip(weights, first, second, rate, strict=True):
            t = tf.cast(step + 1, weight.dtype)
            alpha = r * tf.sqrt(1 - tf.pow(tf.cast(b2, t.dtype), t)) / (1 - tf.pow(tf.cast(b1, t.dtype), t))
            new.append(weight - m * alpha / (tf.sqrt(v) + adam.epsilon))
        return new, [*first, *second]


def learning_rate_function(optimizer):
    """Return a function of the step's number (an int64 tensor) that gives the optimizer's learning rate there.

    Where the rate is no schedule, its variable is read now, so that a callback may change it between two programs.
    """
    schedule = optimizer._learning_rate  # the public property gives the current value, not the schedule
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return schedule
    now = tf.convert_to_tensor(optimizer.learning_rate)
    return lambda step: now
