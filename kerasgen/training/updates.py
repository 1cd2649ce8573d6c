"""A compiled optimizer's arithmetic on plain tensors, so that a loop of many steps writes no variable."""

from collections.abc import Callable

from kerasgen.base.errors import BadInputError
from kerasgen.models.backend import keras, tf

_UNKNOWN = ("clipnorm", "nesterov", "use_ema", "loss_scale_factor", "gradient_accumulation_steps", "amsgrad")


class PlainUpdate:
    """What Keras' SGD or AdamW does to the weights, in its own order of operations.

    Args:
        optimizer: built; SGD with momentum, or AdamW, each with ``clipvalue`` or ``global_clipnorm`` and any schedule.

    Attributes:
        slots: the optimizer's variables beside the weights, one or two for each weight, or none.

    Raises:
        BadInputError: it is another optimizer, or has a setting that is not known here.
    """

    def __init__(self, optimizer):
        strange = [name for name in _UNKNOWN if getattr(optimizer, name, None)]
        if type(optimizer) not in (keras.optimizers.SGD, keras.optimizers.AdamW) or strange:
            raise BadInputError(
                "kerasgen trains with keras.optimizers.SGD or AdamW, clipped by clipvalue or global_clipnorm; received "
                f"{' with '.join([type(optimizer).__name__, *strange])}; plain model.fit takes any"
            )
        self.optimizer, self._is_sgd = optimizer, type(optimizer) is keras.optimizers.SGD
        if self._is_sgd:
            self.slots = list(optimizer.momentums)
        else:
            self.slots = [*optimizer._momentums, *optimizer._velocities]
        self._decays = [
            bool(optimizer.weight_decay) and optimizer._use_weight_decay(v) for v in optimizer._trainable_variables
        ]

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
        update = self._sgd if self._is_sgd else self._adam
        return update(weights, gradients, slots, rate, step)

    @property
    def constant_rate(self) -> float | None:
        """The learning rate now; None where a schedule gives it."""
        return None if self._scheduled else float(self.optimizer.learning_rate)

    def learning_rate(self) -> Callable:
        """Return a function of the step's number (an int64 tensor) that gives the learning rate there.

        Where the rate is no schedule, its variable is read now, so that a callback may change it between two programs.
        """
        if self._scheduled:
            return self.optimizer._learning_rate  # the public property gives the current value, not the schedule
        now = tf.convert_to_tensor(self.optimizer.learning_rate)
        return lambda step: now

    @property
    def _scheduled(self) -> bool:
        return isinstance(self.optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule)

    def _clipped(self, gradients):
        optimizer = self.optimizer
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
        return [w + s for w, s in zip(weights, slots, strict=True)], slots

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
