"""The page of ``--html``, as a file and in a real browser.

``python -m tests.scoring.test_page out.html docs/score.png`` makes the picture of a page.
"""

import base64
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import kerasgen
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.names import NameRNN
from kerasgen.text.vocab import CharVocab
from tests.support import poems
from tests.support.browser import CONTRAST, Watched, chromium
from tests.support.commands import call
from tests.test_export import Page

TEXT = "Shall I compare thee\nto a summer's day?\n"
HOSTILE = "</script><script>alert(1)</script><!--\n<img src=x onerror=alert(2)>\u202eb\x07\u200b\u2028&amp;\"'\n"
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with pages: of prose with all that there is, of names, and of a text that would like to be more."""
    folder = tmp_path_factory.mktemp("pages")
    poems.save(folder / "poet.keras")
    poems.save(folder / "hostile.keras", chars="".join(sorted({*HOSTILE})), card={"lower_case": False})
    vocab = CharVocab.from_text("\nabcdefghijklmnopqrstuvwxyz")
    card = {"kind": "names", "stop": "\n", "config": {}, "lower_case": True, "data": {"name": "names"}}
    store.save(folder / "names.keras", NameRNN(len(vocab), 6), vocab, card, KnownTexts.of(["anna"]))
    (folder / "hostile.txt").write_text(HOSTILE)
    all_of_it = ["--find", "vowels", "--find", "th", "--unit", "2:3", "--temperatures", "0,0.7,1.3", "--places", "5"]
    call(folder, "score", TEXT, "--model", "poet.keras", "--html", "prose.html", *all_of_it)
    call(folder, "score", "Anna\nBert\nzzyzx\n", "--model", "names.keras", "--html", "names.html", "--find", "vowels")
    call(folder, "score", "hostile.txt", "--model", "hostile.keras", "--html", "hostile.html", "--find", "<")
    return folder


def data_of(folder, name, ids="<u2"):
    """What a page holds, its arrays unpacked."""
    data = json.loads(Page((folder / name).read_text(encoding="utf-8"))["data"])
    for key, kind in {"ids": ids, "bits": "<u2", "expected": ids, "chances": "<u2"}.items():
        data[key] = np.frombuffer(base64.b64decode(data[key]), kind)
    data["values"] = [np.frombuffer(base64.b64decode(one), "i1") for one in data["values"]]
    return data


def test_a_page_holds_what_the_model_expects(folder):
    data, generator = data_of(folder, "prose.html"), kerasgen.load(folder / "poet.keras")
    assert data["items"] == [TEXT] and generator.vocab.decode(data["ids"].tolist()) == TEXT.lower()
    bits = generator.score(TEXT).each / math.log(2)
    np.testing.assert_allclose(data["bits"] / data["partsOfABit"], bits, atol=0.0011)
    probs = generator.next_probabilities(TEXT[:9])
    np.testing.assert_array_equal([data["chars"][i] for i in data["expected"][45:50]], [*probs][:5])
    np.testing.assert_allclose(data["chances"][45:50] / 65535, [*probs.values()][:5], atol=1e-5)
    state = generator.char_model.initial_state(1)
    for i, number in enumerate(generator.vocab.encode("\n" + TEXT.lower())):
        _, state = generator.char_model.step(np.array([number], np.int32), state)
        given = data["values"][0][i - 1] / 127 if i else 0
        assert not i or given == pytest.approx(generator.char_model.hidden(state)[1][0, 2].numpy(), abs=0.0041)


def test_names_are_in_the_order_of_their_scores(folder):
    data, generator = data_of(folder, "names.html"), kerasgen.load(folder / "names.keras")
    assert sorted(data["items"]) == ["Anna\n", "Bert\n", "zzyzx\n"]
    assert generator.vocab.decode(data["ids"].tolist()) == "".join(data["items"]).lower()
    scores = [generator.score(item.strip()) for item in data["items"]]
    assert [score for score, _ in data["scores"]] == pytest.approx([score.bits_per_char for score in scores])
    bits = np.concatenate([score.each for score in scores]) / math.log(2)
    np.testing.assert_allclose(data["bits"] / data["partsOfABit"], bits, atol=0.0011)


@pytest.mark.parametrize("name", ["prose.html", "hostile.html"])
def test_nothing_but_its_own_script_and_style_may_run(folder, name):
    page = Page((folder / name).read_text(encoding="utf-8"))
    assert [(tag, id) for tag, id, *_ in page.parts] == [("style", None), ("script", "data"), ("script", None)]
    rules = dict(rule.split(" ", 1) for rule in page.policy.split("; "))
    assert re.fullmatch("'sha256-.{44}'", rules.pop("script-src"))
    assert re.fullmatch("'sha256-.{44}'", rules.pop("style-src"))
    assert rules.pop("img-src") == "data:" and set(rules.values()) == {"'none'"} and "default-src" in rules
    assert page.addresses == ["data:,"]


def test_a_page_of_very_many_different_characters(folder):
    codes = [10, *range(0x4E00, 0x9FFF), *range(0xAC00, 0xD7A3), *range(0x20000, 0x2A6DF)]
    vocab = CharVocab([chr(code) for code in codes])
    card = {"kind": "names", "stop": "\n", "config": {}, "lower_case": False, "data": {"name": "signs"}}
    store.save(folder / "signs.keras", NameRNN(len(vocab), 2), vocab, card, KnownTexts())
    name = "\U0002a6dd\u4e00"
    call(folder, "score", name, "--model", "signs.keras", "--html", "signs.html")
    data = data_of(folder, "signs.html", "<u4")
    assert len(vocab) > 1 << 16 and vocab.decode(data["ids"].tolist()) == name + "\n"
    likeliest = next(iter(kerasgen.load(folder / "signs.keras").next_probabilities()))
    assert vocab.chars[data["expected"][0]] == likeliest


def test_a_page_is_not_too_long(folder):
    (folder / "long.txt").write_text(TEXT * 5001)
    done = call(folder, "score", "long.txt", "--model", "poet.keras", "--html", "long.html", code=2)
    assert "at most 200,000 characters; the text has 200,040" in done.stderr and not (folder / "long.html").exists()


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def opened(browser, folder):
    """Open a page; hold in the end that it asked for nothing, and that nothing went wrong."""
    watched = []

    def page(name="prose.html", **settings):
        watched.append(Watched(browser, **settings))
        watched[-1].page.goto((folder / name).as_uri())
        return watched[-1]

    yield page
    for one in watched:
        assert one.troubles == []
        assert all(re.match("file:|data:", url) for url in one.requests), one.requests
        one.close()


def test_the_text_is_there_with_its_surprises(opened, folder):
    page = opened().page
    page.locator("#by").select_option("surprise")
    assert page.locator("#title").inner_text() == "What poet.keras thinks of this text"
    assert page.locator("#sentence").inner_text().startswith("40 characters: ")
    assert "".join(page.locator("#text .c").all_inner_texts()).replace("⏎", "\n") == TEXT
    bits = kerasgen.load(folder / "poet.keras").score(TEXT).each / math.log(2)
    steps = [
        re.search(r"\bs(\d+)\b", kind)[1]
        for kind in page.locator("#text .c").evaluate_all("all => all.map(e => e.className)")
    ]
    assert all(abs(int(step) - min(bit, 10)) <= 0.51 for step, bit in zip(steps, bits, strict=True))
    assert page.locator("#places li").count() == 5


def test_pointing_shows_what_was_expected(opened, folder):
    page = opened().page
    page.locator("#text .c").nth(9).hover()
    probs = kerasgen.load(folder / "poet.keras").next_probabilities(TEXT[:9])
    names = {" ": "space", "\n": "line end"}
    assert page.locator("#what").inner_text() == "o, after “Shall I c”"
    shown = page.locator("#expected .char").all_inner_texts()
    assert shown[:5] == [names.get(char, char) for char in [*probs][:5]]
    assert page.locator("#expected .here .char").inner_text() == "o"
    first = page.locator("#expected .share").first.inner_text()
    assert float(first.split()[0]) == pytest.approx(100 * max(probs.values()), rel=0.1)


def test_the_keyboard_is_enough(opened):
    watched = opened()
    page, focused = watched.page, "document.activeElement.dataset.place ?? document.activeElement.id"
    page.keyboard.press("Tab")
    assert watched.evaluate(focused) == "by"
    page.keyboard.press("Tab")
    first = int(watched.evaluate(focused))
    label = watched.evaluate("document.activeElement.getAttribute('aria-label')")
    assert re.fullmatch(r".*: \d+\.\d bits, .* %, unit 2:3 gives -?\d\.\d\d; expected (.+ %, ){4}.+ %", label)
    assert watched.evaluate("document.querySelectorAll('#text [tabindex]').length") == 1
    places = []
    for key in ("Control+Home", "ArrowRight", "ArrowDown", "End", "Home", "ArrowLeft", "Control+End", "ArrowUp"):
        page.keyboard.press(key)
        places.append(int(watched.evaluate(focused)))
    assert places == [0, 1, 22, 39, 21, 20, 39, 18] and TEXT[20] == TEXT[39] == "\n"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first of the list of places
    assert int(watched.evaluate(focused)) == first
    assert watched.evaluate("document.querySelectorAll('#text [tabindex]').length") == 1


def test_a_unit_colours_the_text(opened, folder):
    watched, data = opened(), data_of(folder, "prose.html")
    page = watched.page
    options = page.locator("#by option").all_inner_texts()
    assert options[0] == "surprise" and options[1].startswith("unit 2:3")
    page.get_by_role("button", name=re.compile("correlation")).nth(5).click()  # the first of the second
    unit, about = data["units"][[name for name, _ in data["units"]].index(data["find"][1][2][0][0])]
    chosen = page.locator("#by").evaluate("by => by.selectedOptions[0].textContent")
    assert chosen == f"unit {unit} ({about})" and "th " in about
    values = data["values"][[name for name, _ in data["units"]].index(unit)] / 127
    kinds = page.locator("#text .c").evaluate_all("all => all.map(e => e.className)")
    steps = [int(re.search(r"\ba(\d+)\b", kind)[1]) for kind in kinds]
    assert all(abs(step - (value + 1) * 6) <= 0.51 for step, value in zip(steps, values, strict=True))
    assert "−1" in page.locator("#legend").inner_text() and "unit " in page.locator("#how").inner_text()


def test_temperatures_are_bars(opened):
    page = opened().page
    assert page.locator("#temperatures h3").all_inner_texts() == [f"temperature {t}" for t in ("0", "0.7", "1.3")]
    widths = [page.locator("#temperatures ol").nth(n).locator(".bar").first.bounding_box()["width"] for n in range(3)]
    assert widths[0] > widths[1] > widths[2] > 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["prose.html", "names.html"])
def test_it_is_readable_on_a_telephone_in_both_schemes(opened, scheme, name):
    watched = opened(name, viewport={"width": 360, "height": 740}, color_scheme=scheme)
    for option in (0, 1):
        watched.page.locator("#by").select_option(index=option)
        assert watched.evaluate("document.documentElement.scrollWidth") == 360
        ratio, where = watched.evaluate(CONTRAST)
        assert ratio >= 4.5, where
    paper = watched.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) > 380) == (scheme == "light")


def test_a_hostile_text_is_shown_as_text(opened):
    watched = opened("hostile.html")
    shown = "".join(watched.page.locator("#text .c").all_inner_texts())
    seen = HOSTILE.replace("\n", "⏎").replace("\u202e", "U+202E").replace("\x07", "U+0007").replace("\u200b", "U+200B")
    assert shown == seen.replace("\u2028", "U+2028")
    assert watched.evaluate("document.images.length + document.scripts.length") == 2
    assert not re.search("[\u202e\x07\u200b\u2028]", watched.page.locator("body").inner_text())


def main(page, picture):
    """Save a picture of a page."""
    from PIL import Image

    with chromium() as browser:
        watched = Watched(browser, viewport={"width": 1100, "height": 660})
        watched.page.goto(Path(page).resolve().as_uri())
        watched.page.screenshot(path=picture)
        watched.close()
    Image.open(picture).quantize(128).save(picture, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
