"""Settings: a flag beats the file, the file beats the default, and nothing wrong is accepted silently."""

import dataclasses
import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasgen.base.errors import BadInputError, KerasgenError, MissingFileError
from kerasgen.base.flags import parse as parse_flags
from kerasgen.base.settings import check_effects
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from tests.conftest import ROOT

SHIPPED = sorted(path.name for path in (ROOT / "configs").glob("*.toml") if not re.search("tune_|_by_size", path.name))
FIELDS = {field.name: field.default for field in dataclasses.fields(NamesSettings)}
seeds, shares = st.integers(0, 2**32 - 1), st.floats(0, 0.999)
positive = st.floats(1e-6, 1e6)
VALUES = {  # what a field may hold; the strategies stay inside its range
    "steps": st.integers(1, 10**6),
    "seed": seeds,
    "init_seed": seeds,
    "units": st.integers(1, 8192),
    "epochs": st.integers(1, 10**6),
    "top_k": st.integers(1, 1000),
    "temperature": st.floats(0, 1e6),
    "learning_rate": positive,
    "momentum": shares,
    "recurrent_dropout": shares,
    "top_p": st.floats(1e-6, 1),
    "device": st.sampled_from(["auto", "cpu", "gpu", "tpu"]),
    "schedule": st.sampled_from(["constant", "linear", "cosine"]),
    "dtype": st.sampled_from(["float32", "float64", "mixed_bfloat16", "mixed_float16"]),
    "quiet": st.booleans(),
    "carry_state": st.booleans(),
}


SOME = st.sets(st.sampled_from(list(VALUES)), max_size=5).flatmap(
    lambda names: st.fixed_dictionaries({name: VALUES[name] for name in sorted(names)})
)


def parse(*argv, file="configs/dino.toml"):
    return parse_flags(NamesSettings, "prog", "About.\n\nMore.", file, [str(word) for word in argv])


@pytest.fixture
def toml(tmp_path):
    def write(text):
        path = tmp_path / "my.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(*argv):
    """The one-line message that a bad command line or file gives."""
    with pytest.raises(KerasgenError) as caught:
        parse(*argv)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def as_flag(name, value, underscores=False):
    flag = name if underscores else name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no{'_' if underscores else '-'}{flag}"]
    return [f"--{flag}", str(value)]


@settings(deadline=None, max_examples=40)
@given(SOME, SOME, st.booleans())
def test_a_flag_beats_the_file_and_the_file_beats_the_default(tmp_path_factory, in_file, as_flags, underscores):
    file = tmp_path_factory.mktemp("config") / "my.toml"
    file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in in_file.items()))
    argv = [word for name, value in as_flags.items() for word in as_flag(name, value, underscores)]
    assert dataclasses.asdict(parse("--config", str(file), *argv)) == {**FIELDS, **in_file, **as_flags}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_file_says_what_is_used(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # ours are found from any folder
    said = tomllib.loads((ROOT / "configs" / name).read_text(encoding="utf-8"))
    kind = NamesSettings if name.startswith("dino") else ProseSettings
    found = parse_flags(kind, "prog", "About.\n\nMore.", f"configs/{name}", [])
    assert said and found == dataclasses.replace(kind(), **said)


def test_the_command_s_own_file_is_read_where_none_is_named():
    assert parse(file="configs/dino_notebook.toml").init_seed == 1
    assert parse("--no-carry-state", file="configs/dino_notebook.toml").carry_state is False


def test_settings_cannot_be_changed_later():
    with pytest.raises(dataclasses.FrozenInstanceError):
        NamesSettings().steps = 1


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--stepz", "--steps"),
        ("--nun_samples", "--num-samples"),
        ("--temprature=2", "--temperature"),
        ("--num-sample", "--num-samples"),  # argparse would take an abbreviation silently
        ("--temp", "--temperature"),
    ],
)
def test_an_unknown_flag_names_the_nearest_one(flag, meant):
    message = refused(flag, "3")
    assert flag.split("=")[0].replace("_", "-") in message and meant in message


@pytest.mark.parametrize(("key", "meant"), [("stepz", "steps"), ("learning-rate", "learning_rate"), ("Seed", "seed")])
def test_an_unknown_key_names_the_nearest_one(toml, key, meant):
    message = refused("--config", toml(f"{key} = 1"))
    assert repr(key) in message and f"did you mean {meant!r}" in message and "my.toml" in message


def test_a_key_like_nothing_known_points_to_the_help(toml):
    assert "'qqqqqq'; see --help" in refused("--config", toml("qqqqqq = 1"))
    assert "--qqqqqq" in refused("--qqqqqq")


OUTSIDE = [
    ("num_samples", [0, -1]), ("temperature", [-0.1, "-.inf", ".inf", ".nan"]), ("top_k", [0, -3]),
    ("top_p", [0.0, 1.1, -0.5, ".nan"]), ("seed", [-1, 2**32]), ("min_length", [-1]), ("max_length", [0, 100_001]),
    ("units", [0, 8193]), ("recurrent_dropout", [1.0, -0.1, ".nan"]), ("init_scale", [0.0, -1.0, ".inf", ".nan"]),
    ("init_seed", [-1, 2**32]), ("steps", [0, -5, 10**15]), ("epochs", [0]), ("batch_size", [0, 65_537]),
    ("learning_rate", [0.0, -1.0, ".inf", ".nan"]), ("momentum", [-0.1, 1.0, ".nan"]),
    ("recurrent_l2", [-0.1, ".nan", ".inf"]), ("clipvalue", [0.0, -5.0, ".nan"]),
    ("shuffle_seed", [-1, 2**32]), ("sample_every", [0]), ("patience", [0]),
    ("next_learning_rate", [0.0, ".inf", ".nan"]), ("worker_index", [-1]), ("num_workers", [0]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in OUTSIDE for value in values])
def test_a_value_outside_its_range_says_the_rule_and_the_value(name, value):
    flag = f"--{name.replace('_', '-')}"
    number = float(value.replace(".", "")) if isinstance(value, str) else value
    with pytest.raises(ValueError, match=f"{flag} must be ") as caught:
        NamesSettings(**{name: number})
    assert str(caught.value).endswith(f"; received {number}")
    assert refused(f"{flag}={value}") == str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("temperature", "nan"), ("seed", "-1"), ("learning_rate", "inf")])
def test_the_same_ranges_hold_in_a_file(toml, name, value):
    with pytest.raises(ValueError, match="must be") as caught:
        NamesSettings(**{name: float(value) if value != "-1" else -1})
    assert refused("--config", toml(f"{name} = {value}")) == str(caught.value)


def test_every_number_has_a_range():
    ranged = {name for name, _ in OUTSIDE}
    numbers = {f.name for f in dataclasses.fields(NamesSettings) if re.search(r"\b(int|float)\b", str(f.type))}
    assert numbers == ranged


def test_lengths_that_leave_no_room_are_refused_before_anything_slow():
    assert "--min-length" in refused("--min-length", "60", "--max-length", "50")
    assert "--max-length" in refused("--prefix", "triceratops", "--max-length", "5")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--steps", "many"), ("--steps", "1.5"), ("--steps", ""), ("--steps", "[1]"), ("--temperature", "hot"),
        ("--temperature", "nan"), ("--seed", "true"), ("--top-k", "few"), ("--device", "fpga"), ("--dtype", "int8"),
    ],
)  # fmt: skip
def test_a_flag_of_the_wrong_kind_is_named_with_its_value(flag, value):
    message = refused(flag, value)
    assert flag in message and value in message.lower()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", '"many"'), ("steps", "1.5"), ("steps", "true"), ("steps", "[1]"), ("temperature", '"hot"'),
        ("prefix", "5"), ("quiet", "1"), ("quiet", '"maybe"'), ("device", '"GPU"'), ("units", "1979-05-27"),
        ("data", "7"), ("top_k", "{a = 1}"), ("unique", "[]"),
    ],
)  # fmt: skip
def test_a_key_of_the_wrong_kind_is_named_with_its_value(toml, name, value):
    message = refused("--config", toml(f"{name} = {value}"))
    assert name in message.replace("-", "_") and "my.toml" in message
    assert value.strip('"{}[]').split(" ")[0].lower() in message.lower()


@pytest.mark.parametrize("name", ["data", "model", "save_dir", "prefix"])
@pytest.mark.parametrize("text", ["null", "#1.keras", "*a", "1e5", "yes", "a: b", " tri ", "🦕"])
def test_words_arrive_letter_for_letter(name, text):
    assert getattr(parse(f"--{name.replace('_', '-')}={text}"), name) == text


@pytest.mark.parametrize("name", ["nowhere.toml", "configs", "configs/nowhere.toml", "two\nlines.toml", ""])
def test_a_file_that_is_not_there_is_named(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(MissingFileError, match=re.escape(f"received {name!r}")):
        parse("--config", name)
    assert "configs/dino.toml" in refused("--config", name)


@pytest.mark.parametrize("content", [b"steps = ", b"steps = 1\nsteps = 2", b"\xff\xfe", b"steps: 3", b"[", b"\0"])
def test_a_broken_file_is_named_on_one_line(tmp_path, content):
    (tmp_path / "broken.toml").write_bytes(content)
    assert "broken.toml" in refused("--config", tmp_path / "broken.toml")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["--", "-x", "\n", "--steps", "--no-steps", "--quiet=\n"]) | st.text(max_size=6), max_size=3
    )
)
def test_nonsense_is_either_accepted_or_one_line(argv):
    try:
        parse(*[word for word in argv if word not in ("-h", "--h", "--help")])
    except BadInputError as error:
        assert len(str(error).splitlines()) == 1


def test_python_callers_get_the_ordinary_kinds():
    with pytest.raises(ValueError, match="--units"):
        NamesSettings(units=0)
    with pytest.raises(FileNotFoundError):
        parse("--config", str(Path("no") / "where.toml"))


@pytest.mark.parametrize(
    ("flags", "work"),
    [
        (["temperature", "seed", "data"], "generating"), (["units", "learning_rate", "epochs"], "a new model"),
        (["units", "epochs", "next_learning_rate", "log"], "fine-tuning"), ([], "generating"),
    ],
)  # fmt: skip
def test_flags_that_have_an_effect_are_taken(flags, work):
    check_effects(NamesSettings, flags, work)


@pytest.mark.parametrize(
    ("flag", "work", "where"),
    [
        ("epochs", "generating", "training"), ("no_log_dir", "generating", "training"),
        ("units", "generating", "training a new model"), ("learning_rate", "fine-tuning", "training a new model"),
        ("next_learning_rate", "a new model", "fine-tuning"),
    ],
)  # fmt: skip
def test_a_flag_without_an_effect_is_refused(flag, work, where):
    name = flag.removeprefix("no_")
    with pytest.raises(BadInputError, match=f"--{name.replace('_', '-')} has an effect in {where} only; .* is {work};"):
        check_effects(NamesSettings, ["seed", name], work)
