"""A compiled optimizer's arithmetic on plain tensors, so that a loop of many steps writes no variable."""

from kerasgen.backend import keras, tf


class PlainSGD:
    """What `keras.optimizers.SGD` does to weights and momenta, in its own order of operations.

    Args:
        optimizer: a built `keras.optimizers.SGD`; `fits` tells whether all of its settings are known here.
    """

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.slots = list(optimizer.momentums)

    @staticmethod
    def fits(optimizer) -> bool:
        """Tell whether this class covers the optimizer completely."""
        if type(optimizer) is not keras.optimizers.SGD:
            return False
        others = ("clipnorm", "global_clipnorm", "weight_decay", "use_ema", "loss_scale_factor")
        return not any(getattr(optimizer, name) for name in (*others, "gradient_accumulation_steps"))

    def __call__(self, weights, gradients, slots, learning_rate):
        """Return the new weights and momenta; all arguments are lists of tensors in the same order, but the rate."""
        sgd, new_weights, new_slots = self.optimizer, [], []
        for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
            if sgd.clipvalue:
                gradient = tf.clip_by_value(gradient, -sgd.clipvalue, sgd.clipvalue)
            move = gradient * tf.cast(learning_rate, weight.dtype)
            if not slots:
                new_weights.append(weight - move)
                continue
            factor = tf.cast(sgd.momentum, weight.dtype)  # by way of single precision, as Keras does
            momentum = slots[i] * factor - move
            new_slots.append(momentum)
            new_weights.append(weight + (momentum * factor - move if sgd.nesterov else momentum))
        return new_weights, new_slots


def learning_rate_function(optimizer):
    """Return a function of the step's number (an int64 tensor) that gives the optimizer's learning rate there.

    Where the rate is no schedule, its variable is read now, so that a callback may change it between two programs.
    """
    schedule = optimizer._learning_rate  # the public property gives the current value, not the schedule
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return schedule
    now = tf.convert_to_tensor(optimizer.learning_rate)
    return lambda step: now
