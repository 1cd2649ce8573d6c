"""The page in a real browser: typed in, clicked on, and looked at."""

import re
import subprocess
import sys

import pytest

import kerasgen
from kerasgen.metrics.novelty import KnownTexts
from kerasgen.modelfile import store
from kerasgen.models.names import NameRNN
from kerasgen.text.vocab import CharVocab
from tests.conftest import ROOT
from tests.support.browser import CONTRAST, Watched, chromium
from tests.support.commands import call, environment

DINO, POET = (ROOT / "saved_models" / f"{name}.keras" for name in ("dino", "shakespeare"))


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    call(folder, "export", DINO, POET, "--format", "html", "--output", "play.html")
    return folder / "play.html"


@pytest.fixture
def opened(browser, file):
    """Open the page, wait for its first names, and hold in the end that it asked for nothing and nothing went wrong."""
    watched = []

    def page(path=file, **settings):
        watched.append(Watched(browser, **settings))
        watched[-1].page.goto(path.as_uri())
        finished(watched[-1].page, "10 names")
        return watched[-1]

    yield page
    for one in watched:
        assert one.troubles == []
        assert all(re.match("file:|blob:|data:", url) for url in one.requests), one.requests
        one.close()


def finished(page, how):
    page.locator("#status", has_text=re.compile(rf"^{how}\b.*/s\)")).wait_for()


def names_on(page):
    return [re.sub("⏎.*", "", line) for line in page.locator("#text .name").all_inner_texts()]


def test_names_are_pythons_and_marked_as_new_or_known(opened):
    generator = kerasgen.load(DINO)
    page = opened().page
    for seed, prefix, end, top_k in [(4294967295, "Tri", "us", "6"), (3, "", "", "")]:
        page.get_by_label("Begins with").fill(prefix)
        page.get_by_label("Ends with").fill(end)
        page.get_by_label("Seed", exact=True).fill(str(seed))
        page.get_by_label("Top-k").fill(top_k)
        page.get_by_label("Names").fill("60")
        page.get_by_label("Names").press("Enter")
        finished(page, "60 names")
        given = dict(prefix=prefix, ends_with=end, top_k=int(top_k) if top_k else None, seed=seed)
        expected = generator.generate(60, min_length=1, **given)
        assert names_on(page) == [name.capitalize() for name in expected]
    for _ in range(12):
        page.get_by_label(re.compile("^Temperature")).press("ArrowLeft")
    page.get_by_label("Names").press("Enter")
    page.locator("#text .known").first.wait_for()
    finished(page, "60 names")
    expected = generator.generate(60, min_length=1, temperature=0.4, seed=3)
    assert names_on(page) == [name.capitalize() for name in expected]
    marks = page.locator("#text .known, #text .new").all_inner_texts()
    assert marks == ["known" if name in generator.known else "new" for name in expected]


def test_prose_is_pythons_by_typing_and_sliding(opened):
    generator = kerasgen.load(POET)
    page = opened().page
    page.get_by_label("Model").select_option("shakespeare")
    finished(page, "400 characters")
    page.get_by_label("Prompt").press_sequentially("Shall I compare thee")
    for _ in range(6):
        page.get_by_label(re.compile("^Temperature")).press("ArrowRight")
    for _ in range(2):
        page.get_by_label(re.compile("^Top-p")).press("ArrowLeft")
    page.get_by_label("Characters").fill("200")
    page.get_by_role("button", name="New seed").click()
    finished(page, "200 characters")
    seed = int(page.get_by_label("Seed", exact=True).input_value())
    assert page.locator("#temperature-value").inner_text() == "1.00"
    assert page.locator("#top-p-value").inner_text() == "0.90"
    expected = "".join(
        generator.stream("Shall I compare thee", length=200, temperature=1.0, top_p=0.9, seed=seed)
    )  # fmt: skip
    assert page.locator("#text").text_content() == "Shall I compare thee" + expected


def test_the_keyboard_is_enough(opened):
    watched = opened()
    page = watched.page
    page.keyboard.press("Tab")
    focused = "document.activeElement.id"
    order = []
    while (now := watched.evaluate(focused)) and now not in order:
        order.append(now)
        page.keyboard.press("Tab")
    assert order == [
        "model",
        "prompt",
        "end",
        "temperature",
        "top-p",
        "top-k",
        "count",
        "seed",
        "go",
        "other",
        "text",
        "colours",
    ]
    page.locator("#text").focus()
    page.keyboard.press("Home")
    first = page.locator("#next-after").inner_text()
    assert first.startswith("t, at the beginning: surprisal") or first.startswith("T, at the beginning")
    page.keyboard.press("ArrowRight")
    second = re.match(r"(\w), after “T”: surprisal \d\.\d bits", page.locator("#next-after").inner_text())
    assert second and page.locator("#next .taken").inner_text().startswith(second[1])
    page.keyboard.press("End")
    assert page.locator("#next-after").inner_text().startswith("the end, after")
    page.locator("#count").fill("20000")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.locator("#status", has_text="Stopped").wait_for()
    page.keyboard.press("Tab")
    page.locator("#prompt").fill("Tri")
    page.locator("#next-after", has_text="after “Tri”").wait_for()
    assert page.locator("#next li").count() == 8


def test_a_click_on_a_character_shows_what_else_could_have_stood_there(opened):
    page = opened().page
    page.locator("#text .c").nth(4).click()
    shares = [float(text.split()[-2]) for text in page.locator("#next .share").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and 90 < sum(shares) <= 100.1


def test_what_a_model_never_saw_is_said(opened):
    page = opened().page
    page.get_by_label("Begins with").fill("Ж")
    page.get_by_role("alert").filter(has_text="never saw “ж”").wait_for()
    before = page.locator("#go").bounding_box()
    page.get_by_label("Begins with").fill("éèêëàâäáãå")
    page.locator("#read", has_text="read é as e").wait_for()
    assert page.locator("#go").bounding_box() == before  # or a click on it would miss
    assert page.get_by_role("alert").inner_text() == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_a_telephone_in_both_schemes(opened, scheme):
    watched = opened(viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page = watched.page
    for model, how in [("dino", "10 names"), ("shakespeare", "400 characters")]:
        page.get_by_label("Model").select_option(model)
        finished(page, how)
        assert watched.evaluate("document.documentElement.scrollWidth") == 360
        ratio, where = watched.evaluate(CONTRAST)
        assert ratio >= 4.5, where
    paper = watched.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", paper))) > 380) == (scheme == "light")


def test_every_control_has_a_name_that_is_read_out(opened):
    page = opened().page
    told = page.locator("body").aria_snapshot()
    for role, name in [
        ("combobox", "Model"), ("textbox", "Begins with"), ("textbox", "Ends with"), ("slider", "Temperature"),
        ("slider", "Top-p"), ("spinbutton", "Top-k"), ("spinbutton", "Names"), ("spinbutton", "Seed"),
        ("button", "Write"), ("button", "New seed"), ("button", "Stop"), ("group", "Text"),
        ("checkbox", "Colour by surprisal"),
    ]:  # fmt: skip
        assert re.search(rf'- {role} "{name}', told), (role, name, told)
    assert re.search(r"- status: 10 names", told)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_hostile_model_is_shown_as_text(opened, tmp_path):
    vocab = CharVocab.from_text("\n</script>-!&\"'")
    data = {"name": "</script><script>alert(1)</script><img src=x onerror=alert(2)>"}
    path = tmp_path / "<img src=x onerror=alert(3)>.keras"
    card = {"kind": "names", "stop": "\n", "config": {}, "data": data}
    store.save(path, NameRNN(len(vocab), 3), vocab, card, KnownTexts())
    call(tmp_path, "export", path, "--format", "html", "--output", "hostile.html")
    watched = opened(tmp_path / "hostile.html")
    assert watched.page.locator("#model option").inner_text() == path.stem
    assert data["name"] in watched.page.locator("#about").inner_text()
    assert "<" in watched.page.locator("#text").inner_text()
    assert watched.evaluate("document.images.length + document.scripts.length") == 4


def test_the_playground_serves_the_page_to_this_machine_only(browser, tmp_path):
    command = [sys.executable, "-m", "kerasgen.playground", "--no-browser"]
    pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with subprocess.Popen(command, cwd=tmp_path, env=environment(), **pipes) as process:
        try:
            told = process.stdout.readline()
            address, told = told.split(" ", 1)
            assert told == "plays with dino, shakespeare; Ctrl-C ends it\n"
            watched = Watched(browser)
            watched.page.goto(address)
            finished(watched.page, "10 names")
            sent = "fetch('https://example.org/').then(() => 'sent', () => 'refused')"
            assert watched.troubles == [] and watched.evaluate(sent) == "refused"
            assert any("Content Security Policy" in trouble for trouble in watched.troubles)
            assert all(url.startswith((address, f"blob:{address}")) for url in watched.requests)
            watched.close()
        finally:
            process.send_signal(2)
            error = process.stderr.read()
            process.wait(30)
    assert (process.returncode, error) == (130, "kerasgen: the playground is closed\n")
