"""What stands alone on a command line, and that keyword arguments are settings like flags."""

from pathlib import Path

import pytest

from kerasgen.base.errors import BadInputError, MissingFileError
from kerasgen.base.flags import parse
from kerasgen.base.settings import resolve
from kerasgen.tasks.settings import NamesSettings, ProseSettings


def prompt(*argv):
    about = "About.\n\n%(prog)s more."
    return parse(ProseSettings, "poet", about, "configs/shakespeare.toml", [*argv], positional="prompt").prompt


@pytest.mark.parametrize(
    "argv",
    [
        ["Et tu"], ["Et tu", "--length", "5"], ["--length", "5", "Et tu"], ["--length=5", "Et tu"],
        ["--quiet", "Et tu", "--seed", "3"], ["--no-log", "Et tu"], ["--no_resume", "Et tu"], ["--", "Et tu"],
        ["--top_p", "0.5", "Et tu", "--config", "configs/shakespeare_notebook.toml"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_prompt_without_its_flag_is_the_prompt(argv):
    assert prompt(*argv) == "Et tu"


@pytest.mark.parametrize("text", ["-", "- a dash", "---", "-5", "FILE:start.txt", "", "a\nb", "snake_case", "=", "🦕"])
def test_a_prompt_may_look_strange(text):
    assert prompt(text) == prompt("--length", "5", text) == prompt("--", text) == text


def test_after_two_hyphens_a_prompt_may_look_like_a_flag():
    assert prompt("--", "--num_samples") == "--num_samples"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["Et", "tu"], ["'Et' and 'tu'", "quotes"]),
        (["Et", "--prompt", "tu"], ["'Et' and --prompt", "leave one out"]),
        (["--prompt=tu", "Et"], ["'Et' and --prompt", "leave one out"]),
        (["--lenght", "5"], ["unknown flag '--lenght'", "'--length'"]),
        (["--lenght=5", "Et tu"], ["unknown flag '--lenght=5'"]),
    ],
)
def test_what_stands_alone_can_be_too_much(argv, words):
    with pytest.raises(BadInputError) as caught:
        prompt(*argv)
    assert all(word in str(caught.value) for word in words)


def test_where_nothing_may_stand_alone_it_is_refused():
    with pytest.raises(BadInputError, match="unexpected argument 'rex'"):
        parse(NamesSettings, "names", "a\n\nb", None, ["--steps", "5", "rex"])


def test_the_help_says_what_may_stand_alone_and_how_it_was_called(capsys):
    with pytest.raises(SystemExit):
        prompt("--help")
    shown = capsys.readouterr().out
    assert shown.startswith("usage: poet [PROMPT] [flags]") and "poet more." in shown


@pytest.fixture
def help_of(capsys):
    """The help of the names command on one line: ``help_of(*flags)``."""

    def show(*argv, by_size=None):
        with pytest.raises(SystemExit):
            parse(NamesSettings, "prog", "a\n\nb", "configs/dino.toml", [*argv, "--help"], by_size=by_size)
        return " ".join(capsys.readouterr().out.split())

    return show


@pytest.fixture
def by_size(tmp_path):
    """A table of settings that follow the size of a text."""
    text = "[[rows]]\nup_to = 9\nepochs = 9\nunits = 32\n[[rows]]\nmomentum = 0.5\ncarry_state = true\n"
    (tmp_path / "sizes.toml").write_text(text, encoding="utf-8")
    return str(tmp_path / "sizes.toml")


def test_the_help_shows_the_values_that_will_be_used_and_where_they_come_from(help_of):
    shown = help_of()
    assert "the hidden state (default: 64, from configs/dino.toml) --rec" in shown
    assert "names each (default: 48000, from configs/dino.toml) --epochs N how many passes over" in shown
    assert "of SGD (default: 0.0) --clip" in shown and "instead of --steps --batch-size" in shown


@pytest.mark.parametrize("named", ["--config configs/dino_notebook.toml", "--config=configs/dino_notebook.toml"])
def test_the_help_shows_the_values_of_the_configuration_that_is_named(named, help_of, by_size):
    shown = help_of(*named.split(), by_size=by_size)
    assert "initial weights (default: 1, from configs/dino_notebook.toml) training:" in shown
    assert "the one before it (default: yes, from configs/dino_notebook.toml) --init" in shown
    assert "the hidden state (default: 50) --rec" in shown  # a file that is named holds for every text
    assert "by its size" not in shown


def test_the_help_says_what_follows_the_size_of_the_user_s_own_text(help_of, by_size):
    shown = help_of(by_size=by_size)
    assert "(default: 64, from configs/dino.toml; for your own text by its size) --rec" in shown
    assert "of SGD (default: 0.0; for your own text by its size) --clip" in shown
    assert "instead of --steps (default: for your own text by its size) --batch" in shown
    assert shown.count("by its size") == 4
    assert f"(default:configs/dino.toml;foryourowntext{by_size})" in shown.replace(" ", "")


def keywords(config=None, **values):
    return resolve(NamesSettings, "configs/dino.toml", values, config)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--prompt", "a\udcff"], r"--prompt must be UTF-8; received 'a\xff'"),
        (["--save_dir=\udcc3("], r"--save-dir must be UTF-8; received '\xc3('"),
        (["x" * 500 + "\udc80"], rf"an argument must be UTF-8; received '{'x' * 20}\x80'"),
        (["--\udcff"], r"an argument must be UTF-8; received '--\xff'"),
        (["--length", "5", "--", "\ud800"], r"an argument must be UTF-8; received '\ud800'"),
    ],
)
def test_bytes_that_are_no_text_are_refused(argv, message):
    with pytest.raises(BadInputError) as caught:
        prompt(*argv)
    assert str(caught.value) == message


@pytest.mark.parametrize("flag", ["--no-lower-case", "--lower_case", "--lower-case=false"])
def test_a_former_flag_says_what_it_is_now(flag):
    with pytest.raises(BadInputError, match=r"unknown flag '--.*lower.case.*'; it is --case lower or --case keep now"):
        prompt(flag)


def test_a_former_setting_says_what_it_is_now(tmp_path):
    with pytest.raises(BadInputError, match="unknown setting 'lower_case'; it is case lower or case keep now"):
        keywords(lower_case=False)
    (tmp_path / "my.toml").write_text("lower_case = false\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="has the unknown key 'lower_case'; it is case lower or case keep now"):
        keywords(tmp_path / "my.toml")


def test_keyword_arguments_beat_the_file_and_the_file_beats_the_defaults(tmp_path):
    (tmp_path / "my.toml").write_text("units = 7\nsteps = 9\n", encoding="utf-8")
    found = keywords(tmp_path / "my.toml", units=8)
    assert (found.units, found.steps, found.learning_rate) == (8, 9, NamesSettings.learning_rate)
    assert keywords().units == 64  # our own file is read where none is named


def test_keyword_arguments_are_of_the_flags_types():
    found = keywords(learning_rate=1, top_k=None, data=Path("towns.txt"))
    assert (found.learning_rate, found.top_k, found.data) == (1.0, None, "towns.txt")
    assert isinstance(found.learning_rate, float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unitz": 64}, "unknown setting 'unitz'; did you mean 'units'?"),
        ({"qqqqqq": 1}, "unknown setting 'qqqqqq'"),
        ({"units": "many"}, "units must be a whole number; received 'many'"),
        ({"units": 1.5}, "units must be a whole number; received 1.5"),
        ({"units": True}, "units must be a whole number; received True"),
        ({"units": None}, "units must be a whole number; received None"),
        ({"units": 0}, "units must be between 1 and 8192; received 0"),
        ({"temperature": "hot"}, "temperature must be a number; received 'hot'"),
        ({"temperature": 10**400}, "temperature must be a number; received 1"),
        ({"device": "fpga"}, "device must be one of auto, cpu, gpu, tpu; received 'fpga'"),
        ({"quiet": 1}, "quiet must be true or false; received 1"),
        ({"save_dir": 7}, "save_dir must be text; received 7"),
        ({"min_length": 9, "max_length": 5}, "min_length must be at most max_length, 5; received 9"),
    ],
)
def test_a_wrong_keyword_argument_says_the_rule_and_the_value(values, message):
    with pytest.raises(ValueError) as caught:
        keywords(**values)
    assert str(caught.value).startswith(message) and "--" not in str(caught.value)


def test_a_configuration_that_is_not_there_is_named():
    with pytest.raises(MissingFileError, match="config must name a TOML file; received 'no.toml'"):
        keywords("no.toml")


def data(kind, *argv):
    positional = "prompt" if kind is ProseSettings else None
    return parse(kind, "names", "a\n\nb", "configs/dino.toml" if kind is NamesSettings else None, argv, positional).data


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["--data", "a"], "a"),
        (["--data", "a", "b", "--steps", "5"], ("a", "b")),
        (["--data", "a", "--steps", "5", "--data=b"], ("a", "b")),
        (["--data=a", "b", "--data", "c"], ("a", "b", "c")),
        (["--data", "a", "--data", "a"], "a"),
        (["--steps", "5"], None),
    ],
)
def test_a_flag_of_several_values(argv, found):
    assert data(NamesSettings, *argv) == found
    if "b" not in argv:
        words = ["Et tu", *(word.replace("steps", "length") for word in argv)]
        assert data(ProseSettings, *words) == found


def test_a_file_may_give_several_values_and_a_flag_beats_it(tmp_path):
    (tmp_path / "my.toml").write_text('data = ["a", "b"]')
    assert data(NamesSettings, "--config", str(tmp_path / "my.toml")) == ("a", "b")
    assert data(NamesSettings, "--config", str(tmp_path / "my.toml"), "--data", "c") == "c"
    (tmp_path / "my.toml").write_text('data = ["a", 3]')
    with pytest.raises(BadInputError, match="--data must be text; received 3"):
        data(NamesSettings, "--config", str(tmp_path / "my.toml"))


def test_a_file_that_stands_alone_after_a_file_is_not_taken_for_a_prompt(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.txt").write_text("b")
    assert data(ProseSettings, "--data", "a.txt", "Et tu") == "a.txt"
    assert data(ProseSettings, "--data", "a.txt", "--prompt", "b.txt") == "a.txt"
    with pytest.raises(BadInputError, match="yet 'b.txt' is a file; give --data again for each file"):
        data(ProseSettings, "--data", "a.txt", "b.txt")


@pytest.mark.parametrize("argv", [["--units", "1:30"], ["--units=1:30"], ["--learning-rate", "0:01.5"]], ids=" ".join)
def test_a_number_is_no_time(argv):
    with pytest.raises(BadInputError, match=r"^--[a-z-]+ must be a (whole )?number; received '\d:"):
        prompt(*argv)
    assert prompt("--units", "64", "1:30") == "1:30"
