"""Where to compute, as far as a machine without GPU and TPU can tell: the choice, cuDNN's conditions, static shapes."""

from types import SimpleNamespace

import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.generation.batches import BLOCK
from kerasgen.generation.loop import Loop
from kerasgen.models import backend
from kerasgen.models.backend import keras, tf
from kerasgen.models.names import NameRNN
from kerasgen.models.prose import ProseLSTM, stacked_lstm
from kerasgen.tasks.settings import ProseSettings
from tests.support.commands import call


class Machine:
    """What `tf.config` says of a machine of some GPUs, and what it is told."""

    def __init__(self, gpus, runs=False):
        self.gpus = [SimpleNamespace(name=f"GPU{number}", device_type="GPU") for number in range(gpus)]
        self.visible, self.growing, self.runs = list(self.gpus), [], runs
        self.experimental = self

    def list_physical_devices(self, kind):
        """Return all."""
        return self.gpus

    def list_logical_devices(self, kind=None):
        """Return those that are seen, and with them TensorFlow begins to run."""
        self.runs = True
        return self.visible if kind == "GPU" else [SimpleNamespace(device_type="CPU"), *self.visible]

    def get_visible_devices(self, kind):
        """Return those that are seen."""
        return self.visible

    def set_visible_devices(self, chosen, kind):
        """See some."""
        if self.runs:
            raise RuntimeError("Visible devices cannot be modified after being initialized")
        self.visible = chosen

    def set_memory_growth(self, gpu, on):
        """Note it."""
        if self.runs:
            raise RuntimeError("Physical devices cannot be modified after being initialized")
        assert on
        self.growing.append(gpu)


@pytest.fixture
def machine(monkeypatch):
    def make(gpus, **more):
        made = Machine(gpus, **more)
        monkeypatch.setattr(backend.tf, "config", made)
        return made

    return make


@pytest.mark.parametrize(("place", "seen"), [("gpu", [0, 1, 2]), ("gpu:2,0", [2, 0]), ("gpu:1", [1]), ("gpu:1,1", [1])])
def test_gpus_are_chosen_before_anything_runs_and_take_memory_as_they_need_it(machine, place, seen):
    made = machine(3)
    assert backend.device(place) == "/GPU:0"
    assert made.visible == made.growing == [made.gpus[number] for number in seen]
    assert backend.device(place) == "/GPU:0"  # once more, now that it runs


@pytest.mark.parametrize(("gpus", "known"), [(0, "none"), (2, "0 to 1")])
def test_gpus_that_are_not_there_are_one_line(machine, gpus, known):
    machine(gpus)
    with pytest.raises(BadInputError, match=f"--gpus must name GPUs that TensorFlow sees, here {known}; received 0,2"):
        backend.device("gpu:0,2")


def test_gpus_can_not_be_chosen_any_more_where_tensorflow_runs(machine):
    machine(2, runs=True)
    with pytest.raises(BadInputError, match="--gpus must be chosen before TensorFlow runs; received 1 after that"):
        backend.device("gpu:1")


def test_without_gpus_the_cpu_computes_and_nothing_is_chosen(machine):
    made = machine(2)
    assert backend.device("auto") == backend.device("cpu") == "/CPU:0" and not made.growing


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
@pytest.mark.parametrize("flags", [("--gpus", "0"), ("--device", "gpu"), ("--device", "tpu")], ids=str)
def test_what_is_not_there_is_one_line_of_the_command(flags, tmp_path):
    done = call(tmp_path, "dino", "--sample-only", "--model", "saved_models/dino.keras", "--quiet", *flags, code=2)
    assert done.stderr.count("\n") == 1 and flags[0] in done.stderr and not done.stdout


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_model_of_prose_fulfils_the_conditions_of_cudnn(dropout):
    """Those of Keras 3.15 (`keras.layers.LSTM`), but for a GPU: tanh and sigmoid, biases, no unrolling, no mask."""
    settings = ProseSettings(device="gpu", dropout=dropout)
    model = ProseLSTM(stacked_lstm(12, 16, dropout=dropout), recurrent_dropout=0.2, fused=settings.computes_fused)
    assert not model.fused and not model.xla  # Keras' layers compute, and XLA would keep them from cuDNN
    for lstm in model.lstms:
        assert (lstm.activation, lstm.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
        assert lstm.use_bias and not lstm.unroll and lstm.use_cudnn in ("auto", True)
        assert lstm.dropout == lstm.recurrent_dropout == 0  # masks are applied to the weights and between the layers
        assert not lstm.stateful and not lstm.go_backwards
    assert not any(
        layer.supports_masking and getattr(layer, "mask_zero", False) for layer in model.keras_model().layers
    )


def unknown(graph):
    """Return the names of what has an unknown size or rank in a graph or in any function that it calls."""
    plan = graph.as_graph_def(add_shapes=True)
    nodes = [*plan.node, *(node for function in plan.library.function for node in function.node_def)]
    assert any(node.op in ("StatelessWhile", "While") for node in nodes)  # so loops are looked into
    shapes = [(node.name, shape) for node in nodes for shape in node.attr["_output_shapes"].list.shape]
    return [name for name, shape in shapes if shape.unknown_rank or any(dim.size < 0 for dim in shape.dim)]


def compiled(function, *given):
    """Return the graph of a function that is traced with all calls in place, as XLA for a TPU would see it."""
    with tf.device("/CPU:0"):
        return tf.function(function, autograph=False).get_concrete_function(*given).graph


MODELS = {
    "names": lambda: NameRNN(9, 8),
    "prose": lambda: ProseLSTM(stacked_lstm(9, 8, dropout=0.5)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_step_of_training_has_static_shapes_as_a_tpu_wants(kind):
    model = MODELS[kind]()
    weights = [tf.TensorSpec(v.shape, v.dtype) for v in model.keras_model().trainable_variables]
    rows = tf.TensorSpec((4, 7), tf.int32)

    def step(weights, rows, number):
        return model.loss_and_gradients(weights, rows, model.initial_state(4), number)[:2]

    assert unknown(compiled(step, weights, rows, tf.TensorSpec((), tf.int32))) == []


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("rows", [1, BLOCK])
def test_a_program_of_generation_has_static_shapes_as_a_tpu_wants(kind, rows):
    model = MODELS[kind]()
    loop = Loop(model, 9, 0, "/TPU:0")
    state = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), model.initial_state(rows))
    given = [
        tf.TensorSpec((), tf.int32), tf.TensorSpec((rows,), tf.int32), state, tf.TensorSpec((rows,), tf.bool),
        tf.TensorSpec((5,), tf.int64), tf.TensorSpec((2,), tf.float32),
    ]  # fmt: skip
    assert unknown(compiled(lambda *given: loop._loop(rows, *given, None, None), *given)) == []
