"""Prose: a text, and all that training on one needs."""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from kerasgen.base import machine, markdown
from kerasgen.metrics.novelty import LONGEST as LONGEST_LEARNED
from kerasgen.metrics.novelty import KnownTexts, copying
from kerasgen.tasks import limits
from kerasgen.tasks.limits import Sizes
from kerasgen.tasks.settings import ProseSettings
from kerasgen.tasks.task import Task
from kerasgen.text.casing import Casing, of_text
from kerasgen.text.corpora import Text, is_known
from kerasgen.text.corpus_ids import CorpusIds, all_over, distinct, excerpt
from kerasgen.text.vocab import CharVocab
from kerasgen.text.windows import TextSplit, WindowBatches, split_text

OPENING = "\n\n"  # what a poem of its own follows: a stanza has ended
LENGTH = 400  # characters of a sample
LONGEST = 1e12  # floating-point operations from one report to the next: some 15 s on two cores
STEP = 1e8  # such operations take as long as all else of a step
REPORTS = 40  # where passes are short
PIECES = 8  # of a long part that is scored: side by side, more would take memory
MORE_PIECES = 64  # of a long training part in which n-grams are counted
MANY = 1000  # characters; of more of them, learned vectors are smaller than one-hot ones
EMBEDDING = 256  # the size of these, at the most
START = "\n"  # stands before a text of prose: a line begins


def casing_of(settings: ProseSettings, corpus: Text) -> Casing:
    """Return the case in which a new model of a text learns it."""
    return of_text(settings.case, corpus.text, is_known(corpus))


def vocab_of(casing: Casing, corpus: Text) -> CharVocab:
    """Return the characters that a new model of a text learns."""
    return CharVocab.from_text({*distinct(casing.fold(corpus.text)), START})


class ProseTask(Task):
    """A text and a stacked LSTM, which learns it in windows of characters.

    Args:
        settings: those of ``python -m kerasgen.shakespeare``.
        corpus: the text.
        vocab: the characters of the model to fine-tune, which may know more; None for those of the text.
        casing: that of the model to fine-tune; None for the one that ``--case`` and the text give.

    Raises:
        BadInputError: the text is too short or has one character only, or one that is not in `vocab`.
    """

    kind, COUNTED, VALIDATED, SCORED, NGRAMS = "prose", "characters", 100_000, 2_000_000, 4_000_000
    settings: ProseSettings
    split: TextSplit
    batches: WindowBatches

    def __init__(
        self, settings: ProseSettings, corpus: Text, vocab: CharVocab | None = None, casing: Casing | None = None
    ):
        self.settings, self.corpus = settings, corpus
        self.casing = casing or casing_of(settings, corpus)
        self.split = split_text(self.casing.fold(corpus.text), settings.holdout)
        self.vocab = vocab or vocab_of(self.casing, corpus)
        self.batches = WindowBatches(
            CorpusIds.of(self.split.train, self.vocab),
            settings.seq_len,
            stride=settings.stride,
            batch_size=settings.batch_size,
            seed=settings.seed,
        )
        self.steps = (settings.epochs or settings.scratch_epochs) * self.batches.steps_per_epoch
        self.chunk = 20
        self.known = KnownTexts()  # a text of prose is never known as a whole
        self.chars_per_loss = 1.0
        self.chars_per_step = float(settings.batch_size * (settings.seq_len if settings.target == "every" else 1))
        self._marks = {"kind": self.kind, "start": START, **self.casing.card}
        self._size = {"characters": len(corpus.text)}
        self.keeps_optimizer = settings.save_optimizer
        self.units, self.learning_rate, self.patience = settings.units, settings.learning_rate, settings.patience

    @property
    def case_identity(self) -> dict[str, bool]:
        """What tells its runs from those of another case."""
        return {"lower_case": self.casing.learned == "lower"}

    @property
    def sizes(self) -> Sizes:
        """What the memory follows from; measured: 10 times the weights, and 20 to 28 times the states of a layer."""
        settings = self.settings
        arguments = {
            "vocab_size": len(self.vocab), "units": settings.units, "dtype": settings.dtype,
            "embedding": self.embedding,
        }  # fmt: skip
        return Sizes(
            self.kind,
            arguments,
            (self.chunk, settings.batch_size, settings.seq_len),
            settings.batch_size * (settings.seq_len if settings.target == "every" else 1),
            saved_slots=2 * settings.save_optimizer,
            weights=8,
            activations=18,
            lower="--batch-size or --seq-len",
        )

    def tune_process(self) -> None:
        """Multiply bfloat16 on one thread: there are as many products side by side as there are cores."""
        if self._narrow and machine.multiplies_bfloat16():
            from kerasgen.models import backend

            backend.use_one_thread()

    @property
    def _narrow(self) -> bool:
        """Whether kerasgen's own passes are to multiply bfloat16; Keras' layers do as they are told."""
        return self.settings.dtype == "mixed_bfloat16" and self.settings.computes_fused

    @property
    def plan(self) -> str:
        """What is learned, in a few words, and where a precision is not the one that was asked for."""
        widened = self._narrow and not machine.multiplies_bfloat16()
        return super().plan + "; in float32, as this processor multiplies no bfloat16" * widened

    def epoch_ends(self, first: int = 0) -> list[int]:
        """Return the steps after which a pass over the text ends, several passes, or a part of one.

        Args:
            first: the steps that the optimizer had behind it when the run began.
        """
        units, a_pass = self.settings.units, self.batches.steps_per_epoch
        read = self.settings.batch_size * self.settings.seq_len
        work = a_pass * (6 * read * units * (12 * units + len(self.vocab)) + STEP)
        parts = min(a_pass, math.ceil(work / LONGEST))
        together = max(1, min(math.ceil(self.steps / a_pass / REPORTS), int(LONGEST / work)))
        every = max(a_pass * together / parts, self.steps / limits.REPORTS)
        ends = {a_pass, *(round(every * number) for number in range(1, math.ceil(self.steps / every)))}
        return [first + end for end in sorted(ends | {self.steps}) if end <= self.steps]

    @property
    def embedding(self) -> int | None:
        """The size of the characters' learned vectors in a new model; None for one-hot vectors."""
        return min(self.settings.units, EMBEDDING) if len(self.vocab) > MANY else None

    def build(self):
        """Make a new stacked LSTM, compiled with AdamW."""
        from kerasgen.models.backend import keras
        from kerasgen.models.prose import stacked_lstm

        settings = self.settings
        model = stacked_lstm(
            len(self.vocab), settings.units, embedding=self.embedding, dropout=settings.dropout, dtype=settings.dtype,
            seed=settings.seed,
        )  # fmt: skip
        rate: Any = settings.learning_rate
        if settings.schedule == "cosine":
            warmup = self.steps // 20
            rate = keras.optimizers.schedules.CosineDecay(
                0.0, self.steps - warmup, warmup_target=rate, warmup_steps=max(1, warmup)
            )
        return self._compile(model, rate)

    def fine_tune(self, keras_model):
        """Compile a trained model anew, at a constant rate, with the optimizer's state where it was loaded with it.

        Args:
            keras_model: its characters are `vocab`.
        """
        return self._compile(keras_model, self.settings.next_learning_rate, getattr(keras_model, "optimizer", None))

    def char_model(self, keras_model):
        """Return the `ProseLSTM` of a model."""
        from kerasgen.models.prose import ProseLSTM

        settings = self.settings
        return ProseLSTM(
            keras_model, target=settings.target, recurrent_dropout=settings.recurrent_dropout, seed=settings.seed,
            fused=settings.computes_fused,
        )  # fmt: skip

    def card(self, generator, seconds: float) -> dict[str, Any]:
        """Return the card of a trained model; its size is its own, as it may be older than the settings."""
        card, model = super().card(generator, seconds), generator.char_model
        dtype = model.out.dtype_policy.name
        card["config"] |= {"units": model.lstms[0].units, "dropout": model.rates[0], "dtype": dtype}
        return card

    def sample(self, generator, temperature: float) -> str:
        """Generate a text that begins after a stanza; return it in Markdown with how much of it is copied."""
        pieces = generator.stream(OPENING, length=LENGTH, temperature=temperature, seed=self.settings.seed)
        text, (learned, name) = "".join(pieces), self._learned_excerpt
        found = copying(text, learned)
        longest = f"the longest span has {len(found.longest)} characters:\n\n{markdown.block(found.longest)}"
        return f"{markdown.block(text)}\n\n{found.sentence(name)}; {longest}"

    @cached_property
    def _learned_excerpt(self) -> tuple[str, str]:
        """What samples are compared with, and what that is called: all that is learned, or parts of a long text."""
        return excerpt(self.split.train, LONGEST_LEARNED, markdown.escaped(self.corpus.name))

    def _some(self, part, most: int) -> list[str]:
        """Return a part, or pieces from all over a long one, scored faster side by side than its beginning."""
        return all_over(part, most, PIECES if most <= self.SCORED else MORE_PIECES)

    def _sequences(self, texts: list[str]) -> Iterator[Any]:
        return (self.vocab.ids(text) for text in texts)

    def _compile(self, model, rate, old=None):
        from kerasgen.models.backend import keras

        settings = self.settings
        optimizer = keras.optimizers.AdamW(
            rate, weight_decay=settings.weight_decay, beta_2=0.99, global_clipnorm=settings.clipnorm
        )
        optimizer.build(model.trainable_variables)
        if old is not None and len(_state(old)) == len(_state(optimizer)):
            for variable, value in zip(_state(optimizer), _state(old), strict=True):
                variable.assign(value)
        model.compile(optimizer=optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model


def _state(optimizer) -> list:
    """Return an optimizer's variables but for the learning rate, which a schedule replaces."""
    return [variable for variable in optimizer.variables if variable.name != "learning_rate"]
