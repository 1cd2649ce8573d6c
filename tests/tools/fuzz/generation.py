"""What is asked of a model."""

import functools
import warnings

from hypothesis import strategies as st

from kerasgen.base.errors import TooFewWarning
from tests.support import hostile
from tests.tools.fuzz.common import chars, inputs, refusable


@functools.cache
def model(source):
    import kerasgen

    return kerasgen.load(source)


numbers_of_any_kind = st.one_of(st.floats(0, 3), st.floats(), st.integers(-1, 2))


@inputs(
    st.one_of(st.text("abcdefgh", max_size=4), st.text(chars, max_size=5)), numbers_of_any_kind,
    st.sampled_from([None, None, 1, 3, 0, 10**9]), st.sampled_from([None, None, 0.5, 0.0, 1.0, float("nan")]),
    st.integers(-1, 13), st.integers(-1, 2**32),
)  # fmt: skip
def generation(prefix, temperature, top_k, top_p, min_length, number):
    """Whatever is asked for: texts that follow the rules and are the same again, or what is wrong."""
    names, poet, max_length = model(hostile.NAMES), model(hostile.PROSE), 12
    options = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=number)
    with refusable():
        ask = dict(prefix=prefix, min_length=min_length, max_length=max_length, **options)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            made = names.generate(3, **ask)
            assert names.generate(3, **ask) == made
        assert len(made) == 3 or any(issubclass(one.category, TooFewWarning) for one in told)
        for one in made:
            assert one.startswith(names.folding.fold(prefix, names.vocab)) and "\n" not in one
            assert min_length <= len(one) <= max_length
            assert all(char in names.vocab for char in one)
    with refusable():
        written = "".join(poet.stream(prefix, length=max_length, **options))
        assert len(written) == max_length and all(char in poet.vocab for char in written)
