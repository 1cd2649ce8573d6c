"""Names: a list of names, and all that training on one needs."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kerasgen.base import markdown
from kerasgen.base.errors import BadInputError
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.tasks import limits, notebook
from kerasgen.tasks.limits import Sizes
from kerasgen.tasks.settings import NamesSettings
from kerasgen.tasks.task import Task
from kerasgen.text.casing import Casing, of_names
from kerasgen.text.corpora import Text, is_known
from kerasgen.text.names import (
    MANY,
    STOP,
    LongList,
    NameBatches,
    NameRows,
    NameSplit,
    check_different,
    read_names,
    split_names,
)
from kerasgen.text.vocab import CharVocab

REPORTS = 25  # on the way
LONGEST = 5e10  # floating-point operations from one report to the next: some 15 s at the most
FINE_TUNED = 10  # the patience of fine-tuning, where none is set: its best weights may be those before it
STEP = 5e5  # such operations take as long as all else of a step
SHOWN = 8  # names of a sample: what the generator's smallest program but one makes at once


class NamesTask(Task):
    """A list of names and a `NameRNN`, which learns it name by name.

    Args:
        settings: those of ``python -m kerasgen.dino``.
        corpus: one name a line.
        vocab: the characters of the model to fine-tune, which may know more; None for those of the list.
        casing: that of the model to fine-tune; None for the one that ``--case`` and the list give.

    Attributes:
        every: the steps from one report to the next.

    Raises:
        BadInputError: there are fewer than two different names, or one is too long.
    """

    kind, COUNTED, VALIDATED, SCORED, NGRAMS = "names", "names", 2_000, 50_000, 500_000
    settings: NamesSettings
    split: NameSplit
    batches: NameBatches

    def __init__(
        self, settings: NamesSettings, corpus: Text, vocab: CharVocab | None = None, casing: Casing | None = None
    ):
        self.settings, self.corpus = settings, corpus
        written = read_names(str(corpus.text), corpus.name)
        self.casing = casing or of_names(settings.case, written, is_known(corpus))
        names = [self.casing.fold(name) for name in written]
        del written  # of millions of names, each list counts
        check_different(names, corpus.name)
        self.known = KnownTexts.of(names).folded(self.casing.fold)
        self.split = split_names(names, settings.holdout)
        self.vocab = vocab or CharVocab.from_text({*"".join(names), STOP})
        rows = NameRows(self.split.train, self.vocab)
        if len(rows) > MANY:
            self.split = replace(self.split, train=LongList(rows))
        order = notebook.notebook_order(len(rows), settings.shuffle_seed) if settings.shuffle == "once" else None
        self.batches = NameBatches(rows, settings.batch_size, seed=settings.seed, order=order)
        self.steps = settings.epochs * self.batches.steps_per_epoch if settings.epochs else settings.steps
        self.chunk = max(1, 2000 // settings.batch_size)
        self.chars_per_loss = rows.chars / len(rows)
        self.chars_per_step = settings.batch_size * self.chars_per_loss
        self.published = notebook.PUBLISHED if settings.notebook_draws and corpus.name == "dinos" else {}
        self._marks = {"kind": self.kind, "stop": STOP, **self.casing.card}
        self._size = {"names": len(names), "distinct": len(self.known)}
        self.units, self.learning_rate = settings.units, settings.learning_rate
        self.patience = settings.patience or (FINE_TUNED if vocab else None)
        work = 6 * self.chars_per_step * settings.units * (settings.units + len(self.vocab)) + STEP
        most = math.ceil(self.steps / limits.REPORTS)
        self.every = settings.sample_every or max(1, most, min(self.steps // REPORTS, int(LONGEST / work)))
        if self.every < most:
            raise BadInputError(
                f"--sample-every must give at most {limits.REPORTS:,} reports; received {self.every}, which gives "
                f"{self.steps // self.every:,}; raise it to {most:,}, or lower --steps"
            )

    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which the notebook reports, and the last, which may be the end of a shorter epoch.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """
        return [first + end for end in notebook.report_steps(self.steps, self.every)]

    @property
    def sizes(self) -> Sizes:
        """What the memory follows from; measured: 8 to 10 times the weights, and 6 times the states."""
        settings, time = self.settings, self.batches.rows.shape[1] - 1
        arguments = {
            "vocab_size": len(self.vocab), "units": settings.units, "dtype": settings.dtype,
            "batch_size": settings.batch_size, "carry_state": settings.carry_state,
        }  # fmt: skip
        batch, slots = (self.chunk, settings.batch_size, time), int(settings.momentum > 0)
        return Sizes(self.kind, arguments, batch, settings.batch_size * time, slots, weights=6, activations=5)

    @property
    def first_smoothed_loss(self) -> float:
        """Where the notebook's running mean begins; it goes by the seven names that it shows."""
        return notebook.notebook_first_loss(len(self.vocab), 7)

    def tune_process(self) -> None:
        """Let XLA fuse the loops of single names, or compute those of batches and large models on one thread."""
        from kerasgen.models import backend
        from kerasgen.models.simple_rnn_passes import FUSED_UNITS

        if self.settings.batch_size == 1 and self.units <= FUSED_UNITS:
            self.small_loops_fused = backend.fuse_small_loops()
        else:
            backend.use_one_thread()

    def check_shared(self, parts: int) -> None:
        """Refuse to share single names, too, and a state that goes from one batch to the next; see `Task`."""
        if parts > 1 and self.settings.batch_size == 1:
            raise BadInputError(
                "names are learned one by one (--batch-size 1), which can't be shared; raise --batch-size to a "
                f"multiple of {parts}, or leave --strategy out"
            )
        if parts > 1 and self.settings.carry_state:
            raise BadInputError("a state that goes from one batch to the next can't be shared; leave --carry-state out")
        super().check_shared(parts)

    def build(self):
        """Make a new `NameRNN`, compiled with SGD."""
        from kerasgen.models.backend import keras
        from kerasgen.models.names import NameRNN

        settings = self.settings
        seed = settings.seed if settings.init_seed is None else settings.init_seed
        model = NameRNN(
            len(self.vocab),
            settings.units,
            recurrent_dropout=settings.recurrent_dropout,
            recurrent_l2=settings.recurrent_l2,
            carry_state=settings.carry_state,
            batch_size=settings.batch_size,
            seed=seed,
            dtype=settings.dtype,
            name="dino",
        )
        if settings.init == "normal":
            initial = notebook.notebook_weights(seed, len(self.vocab), settings.units, settings.init_scale)
            for variable, value in zip(model.trainable_variables, initial, strict=True):
                variable.assign(value)
        elif settings.init == "wide":
            kernel = model.rnn.cell.kernel
            kernel.assign(keras.initializers.RandomUniform(-1, 1, seed)(kernel.shape, kernel.dtype))
        schedules = keras.optimizers.schedules
        rate: Any = {
            "constant": settings.learning_rate,
            "linear": schedules.PolynomialDecay(settings.learning_rate, self.steps, end_learning_rate=0.0),
            "cosine": schedules.CosineDecay(settings.learning_rate, self.steps),
        }[settings.schedule]
        return self._compile(model, rate)

    def fine_tune(self, keras_model):
        """Compile a trained model anew, with SGD at a constant rate.

        Args:
            keras_model: its characters are `vocab`.
        """
        return self._compile(keras_model, self.settings.next_learning_rate)

    def char_model(self, keras_model):
        """Return the model itself, set to be trained by these settings."""
        keras_model.fused, keras_model.small_loops_fused = self.settings.computes_fused, self.small_loops_fused
        return keras_model

    def sample(self, generator, temperature: float) -> str:
        """Generate some names; return a table of them and their novelty in Markdown."""
        names = generator.generate(SHOWN, temperature=temperature, seed=self.settings.seed)
        return markdown.table(("name", "novelty"), [(name, "known" if name in self.known else "new") for name in names])

    def _compile(self, model, rate):
        from kerasgen.models.backend import floatx, keras
        from kerasgen.models.names import nats_per_name

        with floatx(model.variable_dtype):  # or the optimizer would keep its learning rate in single precision
            momentum, clipvalue = self.settings.momentum, self.settings.clipvalue
            sgd = keras.optimizers.SGD(learning_rate=rate, momentum=momentum, clipvalue=clipvalue)
            model.compile(optimizer=sgd, loss=nats_per_name, auto_scale_loss=False)
        return model

    def _learned(self) -> list[str]:
        return sorted(set(self.split.train))

    def _some(self, part, most: int) -> list[str]:
        """Return names from all over a list; what is held back has been drawn, so its first ones are as good as any."""
        drawn = part is self.split.validation or part is self.split.test
        if drawn or len(part) <= most:
            return list(part[:most])
        return [part[number * len(part) // most] for number in range(most)]

    def _sequences(self, texts: list[str]) -> Iterator[list[int]]:
        return (self.vocab.encode(name + STOP) for name in texts)
