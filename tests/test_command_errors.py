"""Bad input on the command line: one line on standard error, exit code 2, and nothing slow before it."""

import functools
import io
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import kerasgen
from kerasgen.base.errors import BadInputError, KerasgenError
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.text.vocab import CharVocab
from tests.support.commands import call, environment

NAMES = "rex\nzuul\nminmi\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small good model file of three letters, one of them not ASCII."""
    from kerasgen.models.names import NameRNN

    path = tmp_path_factory.mktemp("model") / "good.keras"
    card = {"kind": "names", "stop": "\n"}
    rnn = NameRNN(4, units=2)
    rnn.set_weights([np.random.RandomState(0).randn(*weight.shape) * 3 for weight in rnn.get_weights()])
    store.save(path, rnn, CharVocab("\nabж"), card, KnownTexts.of(["ab"]))
    return path


@pytest.fixture
def dino(tmp_path):
    """Run the names command in this process, in an empty folder; every exit code is right so far."""
    return functools.partial(call, tmp_path, "dino", code=None)


def check_refused(done, *words, exit_code=2):
    """Nothing but one line on standard error that has all of the words."""
    assert "Traceback" not in done.stderr
    assert (done.returncode, done.stdout) == (exit_code, "")
    assert done.stderr.startswith("kerasgen: error:") and done.stderr.endswith("\n")
    assert len(done.stderr.splitlines()) == 1
    for word in words:
        assert word in done.stderr


BAD_DATA = {
    "empty": (b"", "empty"),
    "only blank lines": (b"\n \r\n\t\n", "blank"),
    "one name only": (b"rex\n\n rex\n", "'rex'"),
    "binary": (b"re\0x\nzuul\n", "byte 2"),
    "not UTF-8": (b"rex\nzu\xffl\n", "byte 6 (line 2) is 0xff"),
    "a 10 MB line": (b"rex\n" + b"a" * 10_000_000, "line 2 of long has 10000000"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data(dino, tmp_path, case):
    content, words = BAD_DATA[case]
    name = "long.txt" if "10 MB" in case else "names.txt"
    (tmp_path / name).write_bytes(content)
    done = dino("--data", name)
    check_refused(done, words, name.removesuffix(".txt"))
    assert [path.name for path in tmp_path.iterdir()] == [name]  # nothing was saved


@pytest.mark.parametrize("flag", ["--data", "--model", "--config", "--save-dir", "--output", "--prefix"])
@pytest.mark.parametrize("more", [[], ["--sample-only"]])
def test_a_name_that_no_file_can_have_is_not_blamed_on_the_output(dino, flag, more):
    done = dino(flag, "x" * 300, *more, *(["--data", "nowhere.txt"] if flag != "--data" else []))
    check_refused(done, exit_code=done.returncode)
    assert done.returncode in (1, 2) and "the output can't be written" not in done.stderr


@pytest.mark.parametrize("data", ["nowhere.txt", "no/where.txt", ".", "dinoz"])
def test_data_that_is_no_file(dino, data):
    check_refused(dino("--data", data), repr(data))


BAD_FLAGS = [
    (["--temperature", "-0.5"], ["--temperature", "-0.5"]),
    (["--temperature=-1"], ["--temperature", "-1"]),
    (["--temperature", "nan"], ["--temperature", "nan"]),
    (["--temperature", ".nan"], ["--temperature", "nan"]),
    (["--temperature", "warm"], ["--temperature", "warm"]),
    (["--num-samples", "0"], ["--num-samples", "at least 1", "0"]),
    (["--num_samples=0"], ["--num-samples", "at least 1", "0"]),
    (["--num-samples"], ["--num-samples", "needs a value"]),
    (["--steps", "1.5"], ["--steps", "1.5"]),
    (["--top-p", "1.01"], ["--top-p", "1.01"]),
    (["--device", "fpga"], ["--device", "fpga"]),
    (["--stepz", "3"], ["--stepz", "--steps"]),
    (["train"], ["train"]),
    (["--config", "nowhere.toml"], ["nowhere.toml"]),
    (["--config", "."], ["'.'"]),
]


@pytest.mark.parametrize(("argv", "words"), BAD_FLAGS, ids=[" ".join(argv) for argv, _ in BAD_FLAGS])
def test_bad_flags(dino, argv, words):
    check_refused(dino(*argv), *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"stepz = 3", ["'stepz'", "'steps'"]),
        (b"steps = 'many'", ["--steps", "many"]),
        (b"temperature = nan", ["--temperature", "nan"]),
        (b"steps = ", ["my.toml"]),
        (b"\xff", ["my.toml"]),
    ],
)
def test_a_bad_config_file(dino, tmp_path, content, words):
    (tmp_path / "my.toml").write_bytes(content)
    check_refused(dino("--config", "my.toml"), *words)


@pytest.mark.parametrize(("prefix", "letter"), [("rж", "'ж'"), ("r!", "'!'"), ("é’", "'’'"), ("q\t", "'q'")])
def test_a_prefix_with_an_unknown_letter(dino, tmp_path, prefix, letter):
    (tmp_path / "names.txt").write_text(NAMES)
    check_refused(dino("--data", "names.txt", "--prefix", prefix), f"received {letter}", "leave it out")


@pytest.mark.parametrize("flag", ["--prefix", "--data", "--save-dir", "--device", "--temperature"])
def test_bytes_that_are_no_text(dino, flag):
    check_refused(dino(flag, "a\udcff"), f"{flag} must be UTF-8", r"'a\xff'")


def test_a_prefix_that_a_model_does_not_know(dino, model):
    check_refused(dino("--model", model, "--prefix", "abC"), "received 'C' (character 3")
    check_refused(dino("--sample-only", "--prefix", "竜"), "'竜'")  # the shipped model


def test_a_prefix_with_the_stop_character_is_refused(dino, model):
    check_refused(dino("--model", model, "--prefix", "a\nb", "--quiet"), r"'\n'")


@pytest.mark.parametrize(
    ("edge", "same_as"),
    [
        ({"seed": 2**32 - 1}, None),
        ({"temperature": 1e-300}, {"temperature": 0}),
        ({"temperature": 1e-38}, {"temperature": 0}),
        ({"top_p": 1e-300}, {"temperature": 0}),
    ],
)
def test_the_edges_of_the_ranges_work(model, edge, same_as):
    generator = kerasgen.load(model)
    names = generator.generate(3, min_length=2, max_length=4, **(same_as or edge))
    assert len(names) == 3 and all(2 <= len(name) <= 4 for name in names)
    if same_as:
        cut = dict(uniforms=np.full((3, 4), 0.5), min_length=2, max_length=4)
        assert generator.generate(3, **cut, **edge) == generator.generate(3, **cut, **same_as)


def change(archive, leave_out=(), **members):
    """The bytes of an archive without some members and with others (``config_json`` is ``config.json``)."""
    target = archive.parent / "changed.zip"
    members = {name.replace("_", "."): content for name, content in members.items()}
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(target, "w") as out:
        for name in source.namelist():
            if name not in leave_out and name not in members:
                out.writestr(name, source.read(name))
        for name, content in members.items():
            out.writestr(name, content)
    return target.read_bytes()


def member(archive, name):
    with zipfile.ZipFile(archive) as source:
        return source.read(name)


def later_format(good):
    content = json.loads(member(good, "kerasgen.json"))
    content["card"]["format"] = 99
    return change(good, kerasgen_json=json.dumps(content))


def other_card(good):
    return change(good, kerasgen_json=member(good, "kerasgen.json").replace(b'"names"', b'"games"'))


def flipped(good):
    data = bytearray(good.read_bytes())
    data[len(data) // 2] ^= 0xFF
    return bytes(data)


BAD_MODELS = {
    "empty": (lambda good: b"", "damaged"),
    "text": (lambda good: NAMES.encode(), "damaged"),
    "truncated": (lambda good: good.read_bytes()[:-100], "damaged"),
    "half": (lambda good: good.read_bytes()[: good.stat().st_size // 2], "damaged"),
    "a flipped byte": (flipped, "damaged"),
    "other weights": (lambda good: change(good, **{"model.weights_h5": b"no weights"}), "model.weights.h5"),
    "another card": (other_card, "damaged"),
    "no weights": (lambda good: change(good, leave_out=["model.weights.h5"]), "damaged"),
    "plain Keras": (lambda good: change(good, leave_out=["kerasgen.json"]), "kerasgen.json"),
    "a member more": (lambda good: change(good, evil_py=b"print()"), "evil.py"),
    "a plain zip": (lambda good: change(good, [*zipfile.ZipFile(good).namelist()], x_txt=b"x"), "kerasgen.json"),
    "a later format": (later_format, "later"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_damaged_or_foreign_model(dino, tmp_path, model, case):
    make, words = BAD_MODELS[case]
    (tmp_path / "bad.keras").write_bytes(make(model))
    check_refused(dino("--model", "bad.keras"), "'bad.keras'", words)
    with pytest.raises(ValueError, match=re.escape(words)):
        kerasgen.load(tmp_path / "bad.keras")


@pytest.mark.parametrize("path", ["nowhere.keras", "."])
def test_a_model_that_is_no_file(dino, path):
    check_refused(dino("--model", path), repr(path))


def test_a_flipped_byte_anywhere_is_found_or_harmless(model, tmp_path):
    good, contents = model.read_bytes(), store.read(model)
    bad, found = tmp_path / "bad.keras", 0
    for place in range(0, len(good), 37):
        bad.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        try:
            read = store.read(bad)
        except BadInputError as error:
            assert len(str(error).splitlines()) == 1
            found += 1
        else:  # a time stamp, say, or the metadata, which nobody reads
            assert (read.vocab, read.card, read.known) == (contents.vocab, contents.card, contents.known)
            for name in ("config.json", "model.weights.h5"):
                assert member(bad, name) == member(model, name)
    assert found > 0.9 * len(range(0, len(good), 37))


def test_a_truncated_file_is_always_found(model, tmp_path):
    good = model.read_bytes()
    for length in range(0, len(good), 97):
        (tmp_path / "bad.keras").write_bytes(good[:length])
        with pytest.raises(KerasgenError):
            store.read(tmp_path / "bad.keras")


def test_a_known_corpus_that_cannot_be_had_is_failed_work(dino, tmp_path):
    nowhere = {
        "KERASGEN_MIRROR": str(tmp_path),
        "KERASGEN_CACHE": str(tmp_path / "cache"),
        "NO_PROXY": "",
        "no_proxy": "",
    }
    proxies = dict.fromkeys(["HTTPS_PROXY", "https_proxy"], "http://127.0.0.1:1")  # so no test goes to the internet
    done = dino("--data", "dinos", **nowhere, **proxies)
    check_refused(done, "'dinos' can't be had", "the mirror has no dinos.txt", exit_code=1)
    assert list(tmp_path.iterdir()) == []


def test_other_systems_line_ends_and_other_scripts_are_accepted(dino, tmp_path):
    (tmp_path / "міста.txt").write_bytes("\ufeffКиїв\r\nЛьвів\r\n\r\n東京\r\n🦕\r\n".encode())
    done = dino("--data", "міста.txt", "--steps", 3, "--num-samples", 4, "--quiet", "--device", "cpu")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 4)
    learned = store.read(tmp_path / "saved_models" / "my-міста.keras")
    assert learned.vocab == CharVocab.from_text("\nкиївльвів東京🦕")
    assert all(name in learned.known for name in ("київ", "львів", "東京", "🦕"))


def test_letters_that_the_terminal_cannot_show_are_shown_by_their_number(dino, model):
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    done = dino("--model", model, "--quiet", "--prefix", "ж", stdout=plain)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(re.match(rb"\\u0416|\\u0436", name) for name in plain.buffer.getvalue().splitlines())


def test_a_name_without_a_letter_has_a_score(dino, model):
    done = dino("--model", model, "--min-length", 0, "--num-samples", 200, "--format", "json", "--rank", "--quiet")
    bits = {row["name"].lower(): row["bits_per_char"] for row in json.loads(done.stdout)}
    ends = kerasgen.load(model).next_probabilities()["\n"]
    assert bits[""] == pytest.approx(-np.log2(ends), abs=1e-3) and len(bits) > 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_one_line(dino):
    argv = [sys.executable, "-m", "kerasgen", "--version"]
    with open("/dev/full", "w") as full:
        whole = subprocess.run(
            argv, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )  # Python's own end writes, too
        names = dino("--sample-only", "--quiet", stdout=full)
    for done in (whole, names):
        assert done.returncode == 1
        assert done.stderr.startswith("kerasgen: error:") and len(done.stderr.splitlines()) == 1


def test_help_tells_every_flag_and_examples(command):
    done = command("dino", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("usage: python -m kerasgen.dino", "--num-samples", "--temperature", "--config", "examples:"):
        assert words in done.stdout
    assert "<class" not in done.stdout and "typing" not in done.stdout


@pytest.mark.parametrize("name", ["", "dino"])
def test_version(command, name):
    done = command(name, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"kerasgen {kerasgen.__version__}\n", "")


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [(["--help"], set()), (["--version"], set()), (["--data", "nowhere.txt"], {"numpy"})]
    + [(argv, set()) for argv, _ in BAD_FLAGS if argv[0] in ("--temperature", "--num-samples", "--stepz", "--config")]
    + [(["--model", "nowhere.keras"], set()), (["--sample-only", "--prefix", "竜"], set())],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_nothing_slow_is_imported_for_help_and_flag_errors(command, argv, allowed):
    done = command("dino", *argv, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = set(re.findall(r"\| +(\w+)", done.stderr))
    assert "kerasgen" in imported  # so that we know that the list is one
    assert imported & {"tensorflow", "keras", "numpy", "platformdirs", "requests", "rich"} <= allowed
