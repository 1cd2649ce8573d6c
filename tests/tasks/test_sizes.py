"""The settings of a text of the user's own follow its size."""

import pytest

from kerasgen.base.errors import BadInputError
from kerasgen.base.settings import read_rows, resolve
from kerasgen.tasks.registry import KINDS, NAMES, PROSE
from kerasgen.tasks.sizes import row_for, settings_for
from kerasgen.text import corpora
from kerasgen.text.corpora import Text

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def own(text):
    return Text("own", text, "0" * 64)


@kinds
def test_the_table_goes_up_and_has_a_row_for_every_size(kind):
    sizes = [most for most, _ in read_rows(kind.settings, kind.by_size)]
    assert sizes[-1] is None and sizes[:-1] == sorted(set(sizes[:-1]))
    for most, values in read_rows(kind.settings, kind.by_size):
        assert kind.settings(**values) and row_for(kind, most or 10**9) == values


def test_names_are_counted_once_and_a_text_by_its_characters():
    assert NAMES.size("rex\n\n rex\r\nada\n") == 2
    assert PROSE.size("to be\n") == 6


def test_the_row_of_the_size_is_what_a_training_takes():
    small = settings_for(NAMES, own("ada\nbea\n"), {})
    large = settings_for(NAMES, own("\n".join(map(str, range(50_000)))), {})
    assert small == NAMES.settings(**row_for(NAMES, 2)) and large == NAMES.settings(**row_for(NAMES, 50_000))
    assert small.units < large.units


@kinds
def test_flags_beat_the_row_and_a_file_takes_its_place(kind):
    assert settings_for(kind, own("ada\nbea\n"), {"units": 7}).units == 7
    file = f"configs/{kind.command}_notebook.toml"
    assert settings_for(kind, own("ada\nbea\n"), {"seed": 3}, file) == resolve(kind.settings, file, {"seed": 3})


def test_steps_that_are_given_beat_the_passes_of_the_row():
    found = settings_for(NAMES, own("ada\nbea\n"), {"steps": 70})
    assert (found.steps, found.epochs) == (70, None)
    assert settings_for(NAMES, own("ada\nbea\n"), {"epochs": 3}).epochs == 3


@kinds
def test_the_known_corpora_and_what_stands_in_for_them_have_their_own_file(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("KERASGEN_MIRROR", str(tmp_path))
    ours = corpora.read(str(corpora.bundled(corpora.KNOWN[kind.corpus].fallback)), kind.corpus)
    known = Text("copy", "anything", corpora.KNOWN[kind.corpus].sha256)
    for text in (ours, known):
        assert settings_for(kind, text, {}) == resolve(kind.settings, kind.config, {})


def test_a_wrong_name_is_refused_by_its_name():
    with pytest.raises(BadInputError, match="unknown setting 'unit'; did you mean 'units'"):
        settings_for(NAMES, own("ada\nbea\n"), {"unit": 7})
