"""Configuration files and command lines."""

import contextlib
import dataclasses
import io
import json

from hypothesis import strategies as st

from kerasgen.base.flags import parse
from kerasgen.tasks.settings import NamesSettings, ProseSettings
from tests.tools.fuzz.common import content, inputs, put, refusable, values

KINDS = {"dino": NamesSettings, "shakespeare": ProseSettings}
FIELDS = {field.name: field.default for kind in KINDS.values() for field in dataclasses.fields(kind)}
pair = st.sampled_from([*FIELDS, *FIELDS, *FIELDS, "unit", ""]).flatmap(
    lambda name: st.tuples(
        st.just(name),
        st.one_of(st.just(FIELDS.get(name)), st.just(FIELDS.get(name)), st.integers(0, 50), st.floats(0, 1), values),
    )
)


def toml(value):
    """Write a value as TOML would have it, or near it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


tables = st.builds(
    lambda pairs: "\n".join(f"{key} = {toml(value)}" for key, value in pairs if value is not None).encode(
        errors="replace"
    ),
    st.lists(pair, max_size=3),
)


@inputs(st.sampled_from([*KINDS]), st.one_of(tables, tables, tables, content))
def configuration(kind, data):
    """Whatever a configuration file says: what is taken from it is what stands there, and the rest is refused."""
    import tomllib

    with refusable():
        path = put("config.toml", data)
        found = parse(KINDS[kind], kind, "a\n\nb", "configs/dino.toml", ["--config", str(path)])
        for key, value in tomllib.loads(data.decode()).items():
            assert getattr(found, key) == value


arguments = st.lists(
    st.one_of(
        st.builds(lambda pair: [f"--{pair[0]}={pair[1]}"], pair),
        st.builds(lambda pair: [f"--{pair[0].replace('_', '-')}", str(pair[1])], pair),
        st.builds(lambda pair: [f"--{pair[0]}"], pair),
        st.builds(lambda word: [word], st.one_of(st.text(max_size=10), st.sampled_from(["--", "-", "--config", "-h"]))),
    ),
    max_size=3,
)


@inputs(st.sampled_from([*KINDS]), arguments)
def command_line(kind, words):
    """Whatever flags there are: settings that follow the rules, or what is wrong with them."""
    words = [word for pair in words for word in pair]
    with refusable(), contextlib.redirect_stdout(io.StringIO()):
        try:
            found = parse(KINDS[kind], kind, "a\n\nb", f"configs/{kind}.toml", words)
        except SystemExit as stop:  # --help and --version
            assert stop.code == 0
            return
        assert dataclasses.replace(found) == found  # the rules hold
