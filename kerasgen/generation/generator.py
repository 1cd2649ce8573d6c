"""The one sampler of every model: a batch of texts at once, the whole generation in one compiled loop."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from kerasgen.base.errors import BadInputError, FailedError
from kerasgen.generation.sampling import draw
from kerasgen.models.backend import tf
from kerasgen.text.vocab import CharVocab

BLOCK = 1024  # rows that are drawn from one key; also the most that one program generates side by side


GREEDY = 1e-30  # temperatures below are zero: single precision could not divide by them


_SIZES = (1, 8, 64, BLOCK)  # programs are compiled for these numbers of rows


class Generator:
    """Generates texts with a model that steps with an explicit state.

    A character is drawn by inverse CDF from one uniform number in [0, 1), which depends on (seed, row, position) alone:
    neither on how many texts are asked for nor on their length.

    Args:
        model: has ``initial_state(batch)``, giving the state (a tensor or a nest of them, batch first), and
            ``step(ids (batch,), state)``, giving logits ``(batch, vocab)`` and the new state; id -1 is the zero input.
        vocab: its characters.
        start: the character that stands before a text; None for the zero input.
        stop: the character that ends a text; None where there is none.
        is_known: tells whether a text is one that the model learned from.
        card: what is known of the model, for people.
        device: TensorFlow's name of the device to compute on.
    """

    def __init__(
        self,
        model,
        vocab: CharVocab,
        *,
        start: str | None = None,
        stop: str | None = None,
        is_known: Callable[[str], bool] = lambda text: False,
        card: dict | None = None,
        device: str = "/CPU:0",
    ):
        self.model, self.vocab, self.is_known, self.card, self.device = model, vocab, is_known, card or {}, device
        self._start = -1 if start is None else vocab.encode(start)[0]
        self._stop = -1 if stop is None else vocab.encode(stop)[0]
        self._programs: dict[tuple, Callable] = {}

    def generate(
        self,
        num_samples: int = 1,
        *,
        prefix: str = "",
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        min_length: int = 0,
        max_length: int = 50,
        seed: int = 0,
        unique: bool = False,
        novel_only: bool = False,
        uniforms: np.ndarray | None = None,
    ) -> list[str]:
        """Generate texts, each up to the stop character (which is not part of it) or `max_length`.

        Args:
            num_samples: how many.
            prefix: what each text begins with.
            temperature: the logits are divided by it; 0 takes the likeliest character.
            top_k: draw from the k likeliest characters only.
            top_p: draw from the smallest set of likeliest characters that have this probability together (Holtzman et
                al. 2020, "The curious case of neural text degeneration").
            min_length: the fewest characters, `prefix` included.
            max_length: the most characters, `prefix` included.
            seed: the same seed gives the same texts; text i of 100 is text i of 10.
            unique: leave out repetitions of a generated text.
            novel_only: leave out texts that the model learned from.
            uniforms: the numbers to draw with instead of those of `seed`, ``(num_samples, max_length)`` in [0, 1).

        Raises:
            BadInputError: a value is outside its range, or the prefix has a character that the model never saw.
            FailedError: not enough different or new texts come out of the model.
        """
        _check(num_samples, temperature, top_k, top_p, min_length, max_length, prefix, seed)
        if uniforms is not None and np.shape(uniforms) != (num_samples, max_length):
            raise BadInputError(f"uniforms must be {(num_samples, max_length)} numbers; received {np.shape(uniforms)}")
        if self._stop >= 0 and self.vocab.chars[self._stop] in prefix:
            raise BadInputError(f"a prefix must not hold the character that ends a text; received {prefix!r}")
        prefix_ids = self.vocab.encode(prefix)
        options = dict(temperature=temperature, top_k=top_k, top_p=top_p, min_length=min_length, max_length=max_length)
        with tf.device(self.device):
            start = self._after(prefix_ids)
            if uniforms is not None:
                return [prefix + text for text in self._rows(start, len(prefix_ids), 0, num_samples, uniforms, options)]
            if not unique and not novel_only:
                rows = self._endless(start, len(prefix_ids), num_samples, seed, options)
                return [prefix + text for text in itertools.islice(rows, num_samples)]
            return self._chosen(start, prefix, num_samples, seed, options, unique, novel_only)

    def stream(
        self,
        prompt: str = "",
        *,
        length: int = 400,
        temperature: float = 0.7,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int = 0,
        piece: int = 16,
    ) -> Iterator[str]:
        """Go on from a prompt, a few characters at a time: text 0 of what `generate` gives with that prefix.

        Args:
            prompt: what was written before; it is not part of what is yielded.
            length: how many characters to generate.
            temperature: as for `generate`, like `top_k`, `top_p` and `seed`.
            top_k: see `generate`.
            top_p: see `generate`.
            seed: see `generate`.
            piece: how many characters come at once; it does not change the text.

        Raises:
            BadInputError: a value is outside its range, or the prompt has a character that the model never saw.
        """
        _check(1, temperature, top_k, top_p, 0, length, "", seed)
        ids = self.vocab.encode(prompt)
        options = dict(temperature=temperature, top_k=top_k, top_p=top_p, min_length=0, max_length=piece)
        return self._pieces(ids, length, seed << 32, options)

    def _pieces(self, ids, length, key, options):
        with tf.device(self.device):
            last, state = self._after(ids)
        for first in range(0, length, options["max_length"]):
            with tf.device(self.device):
                position = len(ids) + first
                out, last, state, done = self._call((last, state), position, key, 1, None, options)
            new = out[0][: length - first]
            yield self.vocab.decode(new)
            if done[0]:
                return
            last = last[0]

    def _chosen(self, start, prefix, num_samples, seed, options, unique, novel_only):
        """Take texts in the order of their rows, leaving out what was not asked for."""
        chosen: list[str] = []
        seen: set[str] = set()
        patience = 50 * BLOCK  # rows without a single fresh text; then there are hardly any more
        since = 0
        for text in self._endless(start, len(prefix), None, seed, options):
            text = prefix + text
            since += 1
            if not (unique and text in seen) and not (novel_only and self.is_known(text)):
                seen.add(text)
                chosen.append(text)
                since = 0
            if len(chosen) == num_samples:
                return chosen
            if since == patience or (options["temperature"] < GREEDY and since):
                break
        raise FailedError(
            f"the model gives only {len(chosen)} such texts of the {num_samples} asked for; "
            "raise --temperature or ask for fewer"
        )

    def _endless(self, start, offset, wanted, seed, options) -> Iterator[str]:
        """Yield texts row by row; `wanted` tells how many will be taken, where that is known."""
        for block in itertools.count():
            count = BLOCK if wanted is None else min(BLOCK, max(1, wanted - block * BLOCK))
            yield from self._rows(start, offset, (seed << 32) + block, count, None, options)

    def _rows(self, start, offset, key, count, uniforms, options) -> list[str]:
        """Generate the first `count` rows of a block."""
        size = next(size for size in _SIZES if size >= min(count, BLOCK))
        if uniforms is None:
            return self._decode(self._run(start, offset, key, size, None, options)[:count])
        texts: list[str] = []
        for first in range(0, count, size):
            part = np.zeros((size, options["max_length"]))
            given = np.asarray(uniforms)[first : first + size]
            part[: len(given), : given.shape[1]] = given
            texts += self._decode(self._run(start, offset, key, size, part, options)[: len(given)])
        return texts

    def _run(self, start, offset, key, size, uniforms, options):
        """Generate whole texts; return the new ids, int32 ``(size, max_length - offset)``, -1 after a text's end."""
        ids, *_ = self._call(start, offset, key, size, uniforms, {**options, "end": options["max_length"]})
        return np.ascontiguousarray(ids[:, : options["max_length"] - offset])

    def _call(self, start, offset, key, size, uniforms, options):
        """Call the compiled loop once, from the position `offset` on.

        Returns:
            The new ids ``(size, max_length)``, the last ids ``(size,)``, the state, and which texts have ended.
        """
        form = (size, options["max_length"], options["top_k"], options["top_p"], options["temperature"] < GREEDY)
        if (*form, uniforms is None) not in self._programs:
            self._programs[(*form, uniforms is None)] = self._compile(*form)
        last, state = start
        dtype = self._float
        given = None if uniforms is None else tf.constant(uniforms.T, dtype)  # (max_length, size)
        ids, last, state, done = self._programs[(*form, uniforms is None)](
            tf.constant(last),
            state,
            tf.constant(offset),
            tf.constant(options.get("end", offset + options["max_length"])),
            tf.constant(np.uint64(key).astype(np.int64)),
            tf.constant(max(options["temperature"], GREEDY), dtype),
            tf.constant(options["min_length"]),
            given,
        )
        return ids.numpy(), last.numpy(), state, done.numpy()

    @property
    def _float(self):
        return tf.float64 if self.model.compute_dtype == "float64" else tf.float32

    def _compile(self, size, max_length, top_k, top_p, greedy):
        step, stop, dtype = self.step, self._stop, self._float
        rows = size // 2 if size == BLOCK else size  # a block is two programs side by side: a core each

        def loop(first, last, state, offset, end, key, temperature, min_length, uniforms):
            state = tf.nest.map_structure(lambda s: tf.repeat(s, rows, axis=0), state)

            def body(position, ids, state, done, out):
                if uniforms is None:
                    seed = tf.stack([key, tf.cast(position, tf.int64)])
                    uniform = tf.random.stateless_uniform((size,), seed, alg="philox", dtype=dtype)
                else:
                    uniform = tf.gather(uniforms, position)
                ids, state = step(
                    ids, state, tf.slice(uniform, [first], [rows]), temperature, stop_allowed=position >= min_length,
                    top_k=top_k, top_p=top_p, greedy=greedy,
                )  # fmt: skip
                done = done | (ids == stop)
                out = tf.tensor_scatter_nd_update(out, [[position - offset]], tf.where(done, -1, ids)[None])
                return position + 1, ids, state, done, out

            out = tf.fill((max_length, rows), -1)
            going = lambda position, ids, state, done, out: (position < end) & ~tf.reduce_all(done)  # noqa: E731
            start = (offset, tf.fill((rows,), last), state, tf.zeros((rows,), tf.bool), out)
            _, ids, state, done, out = tf.while_loop(going, body, start)
            return tf.transpose(out), ids, state, done

        compiled = tf.function(loop, jit_compile=True)

        def all_rows(*given):
            parts = [compiled(tf.constant(first), *given) for first in range(0, size, rows)]
            return tf.nest.map_structure(lambda *part: tf.concat(part, axis=0), *parts)

        return tf.function(all_rows)

    def _after(self, prefix_ids: list[int]):
        """Return what generating starts from: the last id before it and the state before that id, batch 1."""
        ids = [self._start, *prefix_ids]
        room = 1 << (len(ids) - 1).bit_length()
        padded = np.full((room,), -1, np.int32)
        padded[: len(ids)] = ids
        if ("prefix", room) not in self._programs:
            self._programs["prefix", room] = tf.function(self._prefill, jit_compile=True)
        state = self._programs["prefix", room](tf.constant(padded), tf.constant(len(prefix_ids)))
        return ids[-1], state

    def _prefill(self, ids, count):
        def body(i, state):
            return i + 1, self.model.step(tf.gather(ids, i)[None], state)[1]

        return tf.while_loop(lambda i, state: i < count, body, (tf.constant(0), self.model.initial_state(1)))[1]

    @tf.function
    def step(self, ids, state, uniform, temperature, stop_allowed=True, top_k=None, top_p=None, greedy=False):
        """Draw the next characters: the one step that every generation is made of.

        Args:
            ids: int32 ``(batch,)``, the last characters; -1 is the zero input.
            state: the model's state.
            uniform: ``(batch,)`` in [0, 1).
            temperature: positive scalar.
            stop_allowed: bool scalar; where False, the stop character has no probability.
            top_k: an int or None.
            top_p: a float or None.
            greedy: take the likeliest character instead.

        Returns:
            The new ids ``(batch,)`` and the new state.
        """
        logits, state = self.model.step(ids, state)
        logits = tf.cast(logits, self._float)
        if self._stop >= 0:
            forbidden = (tf.range(len(self.vocab)) == self._stop) & ~tf.convert_to_tensor(stop_allowed)
            logits = tf.where(forbidden, logits.dtype.min, logits)
        if greedy:
            return tf.argmax(logits, axis=-1, output_type=tf.int32), state
        probs = tf.nn.softmax(logits / tf.cast(temperature, logits.dtype))
        return draw(probs, tf.cast(uniform, probs.dtype), top_k=top_k, top_p=top_p), state

    def _decode(self, ids: np.ndarray) -> list[str]:
        if "\0" in self.vocab:
            return [self.vocab.decode(row) for row in ids]
        table = np.array([*self.vocab.chars, "\0"])  # the last entry is that of id -1; NumPy drops NULs at the end
        return table[ids].view(f"<U{ids.shape[1]}")[:, 0].tolist() if ids.size else [""] * len(ids)


def _check(num_samples, temperature, top_k, top_p, min_length, max_length, prefix, seed):
    rules = [
        ("num_samples", num_samples, num_samples >= 1, "at least 1"),
        ("temperature", temperature, 0 <= temperature < float("inf"), "zero (greedy) or a positive number"),
        ("seed", seed, 0 <= seed < 2**32, "between 0 and 4294967295"),
        ("top_k", top_k, top_k is None or top_k >= 1, "at least 1"),
        ("top_p", top_p, top_p is None or 0 < top_p <= 1, "above 0 and at most 1"),
        ("max_length", max_length, max_length > len(prefix), f"more than the prefix's {len(prefix)} characters"),
        ("min_length", min_length, 0 <= min_length <= max_length, f"between 0 and the maximum of {max_length}"),
    ]
    for name, value, holds, rule in rules:
        if not holds:
            raise BadInputError(f"{name} must be {rule}; received {value}")
