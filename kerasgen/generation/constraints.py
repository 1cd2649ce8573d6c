"""What a text must be: from words and regular expressions to an `Automaton`, which `interegular` makes of them."""

import re
import warnings

import numpy as np

from kerasgen.base.deadline import within
from kerasgen.base.errors import BadInputError
from kerasgen.generation.automaton import Automaton
from kerasgen.generation.sampling import Sampling
from kerasgen.text.vocab import CharVocab

_LONGEST = 1000  # characters of an expression; all of them are read before anything is limited
_SECONDS = 2.0  # an expression such as `.*x.{14}` has more states than anyone can wait for
_REPEAT = r"\{(?:\d+(?:,\d*)?|,\d*)\}"
_OUTSIDE = re.compile(rf"\\.|\[\^?\]?|\(\?<?[=!]|(?:[*+?]|{_REPEAT})\+|{_REPEAT}|.", re.DOTALL)  # of brackets
_INSIDE = re.compile(r"\\.|.", re.DOTALL)
_CLASS = re.compile(r"\\[dDsSwW]")
_REFUSED = re.compile(r"\(\?.*|.+\+", re.DOTALL)  # looking around; possessive repetitions


def fulfilling(sampling: Sampling, vocab: CharVocab, stop: str, ignore_case: bool, prefix: str = "") -> Automaton:
    """Return the automaton of texts that fulfil a `Sampling`, in its state after a prefix.

    Args:
        sampling: its `ends_with` and `contains` are in the model's own characters.
        vocab: those.
        stop: the character that ends a text, and is not part of it.
        ignore_case: whether a letter of the pattern stands for its capital or small one as well.
        prefix: what every text begins with.

    Raises:
        BadInputError: the pattern is no regular expression, or not one that an automaton can hold; or there is no such
            text.
    """
    made = automaton(sampling, vocab, stop, ignore_case)
    check(made, sampling, vocab, prefix)
    return made.after(vocab.encode(prefix))


def refuse(sampling: Sampling, needs: str) -> None:
    """Refuse what an automaton would be made of.

    Args:
        sampling: what was asked for.
        needs: what that would need.

    Raises:
        BadInputError: a text's end, part or pattern was asked for.
    """
    for name in ("ends_with", "contains", "pattern"):
        if getattr(sampling, name):
            raise BadInputError(f"{name} needs {needs}")


def automaton(sampling: Sampling, vocab: CharVocab, stop: str, ignore_case: bool = False) -> Automaton:
    """Make the automaton of all that a `Sampling` asks of a text but its length; the arguments are `fulfilling`'s."""
    everything = "(?s:.*)"
    expressions = []
    if sampling.ends_with:
        expressions.append(everything + re.escape(sampling.ends_with))
    if sampling.contains:
        expressions.append(everything + re.escape(sampling.contains) + everything)
    if sampling.pattern is not None:
        expressions.append(_plain(sampling.pattern, vocab))

    def make() -> Automaton:
        made = Automaton.of_everything(len(vocab))
        for expression in expressions:
            made = made & _automaton(expression, vocab, stop, ignore_case)
        return made

    try:
        return within(_SECONDS, make) if expressions else make()
    except TimeoutError:
        asked = (
            f"pattern must be one that takes less than {_SECONDS:g} s to prepare; received {sampling.pattern!r:.200}"
        )
        raise BadInputError(f"{asked}; fewer or smaller repetitions help") from None
    except Exception as error:  # the library has no class of its own for what it does not know
        raise _refused(sampling.pattern, str(error)) from None


def check(made: Automaton, sampling: Sampling, vocab: CharVocab, prefix: str = "") -> None:
    """Raise a `BadInputError` where no text of the model's characters fulfils what was asked; the lengths are part."""
    after = made.after(vocab.encode(prefix))
    position = len(prefix)
    if after.can_end(max(0, sampling.min_length - position), sampling.max_length - position):
        return
    parts = [("begins with", prefix), ("ends with", sampling.ends_with), ("contains", sampling.contains)]
    asked = [f"{words} {value!r:.200}" for words, value in parts if value]
    asked += [] if sampling.pattern is None else [f"matches {sampling.pattern!r:.200}"]
    shortest, why = after.distances()[after.state], ""
    if shortest >= 0:
        fewest = f"between {sampling.min_length} and" if sampling.min_length > 1 else "at most"
        asked.append(f"has {fewest} {sampling.max_length} characters")
        why = f"; the shortest such text has {position + shortest}"
    elif unseen := _unseen(sampling.pattern or "", vocab):
        why = f"; it never saw {', '.join(map(repr, unseen))}"
    every = " and ".join(filter(None, [", ".join(asked[:-1]), asked[-1]]))
    raise BadInputError(f"the model can write no text that {every}{why}")


def _unseen(pattern: str, vocab: CharVocab) -> list[str]:
    """Return the letters of a pattern that are not in a vocabulary, small or capital."""
    letters = dict.fromkeys(re.sub(r"\\.|\(\?[a-zA-Z-]+", "", pattern))
    return [
        char for char in letters if char.isalpha() and not any(c in vocab for c in (char, char.lower(), char.upper()))
    ]


def _refused(pattern: str | None, why: str) -> BadInputError:
    return BadInputError(
        "pattern must be a regular expression of the whole text, without anchors, look-around or references; "
        f"received {pattern!r:.200}{f': {why}' if why else ''}"
    )


def _plain(pattern: str, vocab: CharVocab) -> str:
    r"""Write a regular expression so that `interegular` reads it as Python does.

    What a match of the whole text makes redundant (``^`` before all, ``$`` behind all) is left out. Classes such as
    ``\w`` are written out, as there they would hold no letters but those of English.
    """
    if len(pattern) > _LONGEST:
        asked = f"pattern must have at most {_LONGEST:,} characters; received {len(pattern):,}"
        raise BadInputError(f"{asked}: {pattern!r:.60}; leave some out")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, RecursionError, OverflowError, ValueError) as error:  # ValueError: a number of 5,000 digits
        raise _refused(pattern, f"{error!s:.200}") from None
    pattern = re.sub(r"^(\^|\\A)", "", pattern)
    pattern = re.sub(r"(?<!\\)((?:\\\\)*)(\$|\\Z)$", r"\1", pattern)
    written, place, inside = [], 0, False
    while place < len(pattern):
        token = (_INSIDE if inside else _OUTSIDE).match(pattern, place)[0]  # type: ignore[index]
        place += len(token)
        if _REFUSED.fullmatch(token) and not inside:
            raise _refused(pattern, repr(token))
        if _CLASS.fullmatch(token):
            chars = "".join(re.escape(char) for char in vocab.chars if re.fullmatch(token, char))
            token = chars if inside else f"[{chars}]"
        elif inside:
            inside = token != "]"
        elif token[0] == "[":
            inside, token = True, token.replace("]", r"\]")
        elif token == "{":
            token = r"\{"
        written.append(token)
    return "".join(written)


def _automaton(expression: str, vocab: CharVocab, stop: str, ignore_case: bool) -> Automaton:
    """Make the smallest automaton of an expression that `interegular` reads."""
    from interegular.patterns import REFlags, parse_pattern

    fsm = parse_pattern(expression).to_fsm(None, (0, 0), REFlags.CASE_INSENSITIVE if ignore_case else REFlags(0))
    places = {state: place for place, state in enumerate(fsm.states, 1)}  # 0: nothing more can be accepted
    following = np.zeros((len(places) + 1, len(vocab)), np.int32)
    keys = [None if char == stop else fsm.alphabet[char] for char in vocab.chars]
    for state, place in places.items():
        after = fsm.map.get(state, {})
        following[place] = [places[after[key]] if key in after else 0 for key in keys]
    accepts = np.array([False, *(state in fsm.finals for state in places)])
    return Automaton(following, accepts, places[fsm.initial]).smallest()
