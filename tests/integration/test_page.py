"""The page in a real browser, before a server that stands where API Gateway does."""

import base64
import hashlib
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import expect, sync_playwright

from shutterless.runtime.adapters.http_app import App
from shutterless.runtime.http_messages import Response
from shutterless.runtime.model.bundle import read_bundle
from shutterless.runtime.model.classifier import Classifier
from shutterless.runtime.problems import KINDS, Problem
from shutterless.runtime.responses import PAGE, problem_response
from shutterless.runtime.service import Service
from shutterless.runtime.settings import Settings

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CALLING = Path(__file__).parents[2] / "docs" / "calling.md"
LIMIT = 4_400_000
KEY = "a-key-of-the-owner"
HOSTILE = (
    '<img src=x onerror="document.title=1">',
    "</script><script>document.title=2</script>",
    "\u202e" + "w" * 199,
)

needs_chromium = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}")


def as_json(document, status=200):
    return Response(status, {"Content-Type": "application/json"}, json.dumps(document).encode())


def as_text(text, status=200):
    return Response(status, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())


def as_png(file):
    return Response(200, {"Content-Type": "image/png"}, file.read_bytes())


class Gateway:
    """What stands in front of the function: stages, a key, answers of its own; it notes every request."""

    def __init__(self, stages):
        self.stages = stages  # prefix: application; "" comes last
        self.key = None
        self.answers = {}  # path: answer in the function's place
        self.requests = []

    def respond(self, request):
        """Answer as the server's application does."""
        self.requests.append((request.path, request.headers, request.body))
        prefix = next(prefix for prefix in self.stages if request.path.startswith(prefix))
        path = request.path.removeprefix(prefix) or "/"
        if self.key and path != "/" and request.headers.get("x-api-key") != self.key:
            return as_json({"message": "Forbidden"}, 403)
        if path in self.answers:
            return self.answers[path]
        return self.stages[prefix].respond(request.replace(path=path))

    def sent(self):
        """Return content type and body of the latest request for a prediction."""
        return next(
            (headers["content-type"], body)
            for path, headers, body in reversed(self.requests)
            if path.endswith("/predict")
        )


@pytest.fixture(scope="module")
def served(colour_bundle, running):
    """A gateway with its origin: the model at / and /test, one never sure at /unsure, hostile labels."""
    bundle, settings = read_bundle(colour_bundle), Settings(colour_bundle, urls="any")

    def app(**changes):
        return App(Service(Classifier(bundle.replace(**changes)), settings))

    usual = app(threshold=0.0)
    stages = {
        "/test": usual,
        "/unsure": app(threshold=1.0, temperature=5.0),
        "/hostile": app(labels=HOSTILE),
        "/records": App(
            Service(Classifier(bundle.replace(labels=HOSTILE)), Settings(colour_bundle, records=True))
        ),
        "/no-urls": App(Service(Classifier(bundle), Settings(colour_bundle, urls="off"))),
        "": usual,
    }
    gateway = Gateway(stages)
    with running(gateway) as port:
        yield gateway, f"http://127.0.0.1:{port}"


@pytest.fixture
def gateway(served):
    gateway, _ = served
    gateway.key = None
    gateway.answers.clear()
    gateway.requests.clear()
    return gateway


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, served, gateway):
    """Open the page at a path; afterwards nobody else was asked, and nothing was complained of."""
    _, origin = served
    contexts, urls, messages = [], [], []

    def open_page(path="/", **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("request", lambda request: urls.append(request.url))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("console", lambda message: messages.append(message.text))
        page.goto(origin + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in urls if not url.startswith((f"{origin}/", "blob:", "data:"))] == []
    # Chromium itself notes each answer of 400 or more, and each request that a test breaks.
    assert [text for text in messages if not text.startswith("Failed to load resource")] == []


@pytest.fixture
def photo(colour_photos):
    return colour_photos / "test" / "red" / "00.png"


@pytest.fixture(scope="module")
def large_photo(tmp_path_factory):
    """A photo of 2600 × 2000 pixels and more than the limit, red with a blue left edge, lying on its side."""
    noise = np.random.default_rng(1).normal(0, 60, (2000, 2600, 3))
    colours = np.full_like(noise, (200, 50, 40))
    colours[:, :300] = (40, 60, 200)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # its left edge is the upper one
    file = tmp_path_factory.mktemp("large") / "large.jpg"
    pixels = np.clip(noise + colours, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, quality=95, subsampling=0, exif=exif)
    assert file.stat().st_size > LIMIT
    return file


def transfer(page, *files, **texts):
    """Return a DataTransfer with files (name, type, bytes) and texts, as a drop or the clipboard has it."""
    code = """([files, texts]) => {
        const data = new DataTransfer();
        for (const [name, type, content] of files)
            data.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt())], name, { type }));
        for (const [type, text] of Object.entries(texts)) data.setData(type.replace("_", "/"), text);
        return data;
    }"""
    encoded = [(name, kind, base64.b64encode(content).decode()) for name, kind, content in files]
    return page.evaluate_handle(code, [encoded, texts])


def drop(page, *files, **texts):
    data = transfer(page, *files, **texts)
    page.dispatch_event("#drop", "dragover", {"dataTransfer": data})
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})


def paste(page, *files, **texts):
    page.evaluate(
        """(clipboardData) => document.body.dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }))""",
        transfer(page, *files, **texts),
    )


def heading(page):
    return page.get_by_role("heading", level=2)


def ask_for_url(page, url):
    page.get_by_label("URL of a photo").fill(url)
    page.get_by_role("button", name="Classify").click()


def pixels_beyond(page):
    """Return by how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_the_page_permits_its_own_script_and_nothing_from_elsewhere():
    text = Path(PAGE).read_text("utf-8")
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text, "the script was changed: change its hash too"
    assert "default-src 'none'" in text
    assert set(re.findall(r"https?://[\w.]+", text)) == {"http://www.w3.org"}  # the name of SVG
    assert len(text.encode()) < 27_000


@needs_chromium
def test_it_says_what_the_model_knows_and_how_good_it_is(visit, colour_bundle):
    page = visit()
    bundle = read_bundle(colour_bundle)
    expect(page.get_by_text("The model recognizes blue, green, red.")).to_be_visible()
    footer = page.get_by_text(f"Model colours, version {bundle.version}")
    share = f"{bundle.accuracy['bundle']:.0%}".replace("%", "\u00a0%")  # of few photos: no decimals
    expect(footer).to_contain_text(f"{share} accurate on {bundle.accuracy['images']} validation photos")


@needs_chromium
@pytest.mark.parametrize("way", ["drop", "paste", "pick", "photograph"])
def test_a_photo_is_sent_as_it_is_and_its_labels_are_shown_best_first(visit, gateway, photo, way):
    page = visit()
    content = photo.read_bytes()
    if way in ("drop", "paste"):
        {"drop": drop, "paste": paste}[way](page, (photo.name, "image/png", content))
    else:
        page.set_input_files({"pick": "#file", "photograph": "#camera"}[way], photo)
    expect(heading(page)).to_contain_text("red")
    assert gateway.sent() == ("image/png", content)
    labels = page.locator("th").all_text_contents()
    shares = [float(share.split()[0]) for share in page.locator("td:last-child").all_text_contents()]
    assert sorted(labels) == ["blue", "green", "red"]
    assert (labels[0], shares) == ("red", sorted(shares, reverse=True))
    assert page.get_by_alt_text("Your photo 00.png").evaluate("image => image.naturalWidth") == 40


@needs_chromium
@pytest.mark.parametrize("way", ["type", "paste", "drop"])
def test_the_service_fetches_an_address_and_the_page_does_not(visit, gateway, served, photo, way):
    gateway.answers["/photos/red.png"] = as_png(photo)
    url = f"{served[1]}/photos/red.png"
    page = visit()
    if way == "type":
        ask_for_url(page, f"  {url} ")
    else:
        {"drop": drop, "paste": paste}[way](page, **{"text_uri-list" if way == "drop" else "text_plain": url})
    expect(heading(page)).to_contain_text("red")
    assert gateway.sent() == ("application/json", json.dumps({"url": url}, separators=(",", ":")).encode())
    agents = [headers["user-agent"] for path, headers, _ in gateway.requests if path == "/photos/red.png"]
    assert agents == ["shutterless"]


@needs_chromium
def test_a_new_photo_takes_the_place_of_the_one_before(visit, colour_photos):
    page = visit()
    for label in ("red", "blue", "green"):
        page.set_input_files("#file", colour_photos / "test" / label / "01.png")
        expect(heading(page)).to_contain_text(label)
    assert page.get_by_role("img").count() == 1


@needs_chromium
def test_an_answer_that_is_not_accepted_is_not_sure(visit, photo):
    page = visit("/unsure")
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("Not sure")
    expect(page.get_by_role("status")).to_contain_text("The best guess is red")
    expect(page.get_by_role("status")).to_contain_text("Answers below 100.0\u00a0% are marked")


@needs_chromium
def test_a_picture_that_is_not_familiar_looks_like_no_label(visit, photo, gateway):
    page = visit()
    best = {"label": "red", "confidence": 0.97, "accepted": False, "scores": {"red": 0.97, "blue": 0.03}}
    gateway.answers["/predict"] = as_json({**best, "familiar": False, "novelty": 0.99})
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("This looks like none of my labels")
    expect(page.get_by_role("status")).to_contain_text("red, 97.0\u00a0%")
    gateway.answers["/predict"] = as_json({**best, "familiar": True, "novelty": 0.5})
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("Not sure")


def ours(code, detail="it says why", **headers):
    response = problem_response(Problem(code, detail))
    return response.replace(headers={**response.headers, **headers})


@needs_chromium
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *((ours(code), [title, "It says why."]) for code, (_, title) in KINDS.items()),
        (ours("busy", **{"Retry-After": "2"}), ["Try again in 2 seconds."]),
        (as_text("HTTP content length exceeded", 413), ["too large for the service", "smaller"]),
        (as_json({"message": "Limit Exceeded"}, 429), ["Too many requests"]),
        (as_json({"message": "Internal server error"}, 502), ["The service failed"]),
        (as_json({"message": "Service Unavailable"}, 503), ["not available", "in a moment"]),
        (as_json({"message": "Endpoint request timed out"}, 504), ["took too long", "Try again"]),
        (as_text("<h1>Log in to this café's network</h1>"), ["unexpected answer", "200"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else str(value.status),
)
def test_every_problem_is_put_into_words(visit, gateway, photo, answer, words):
    gateway.answers["/predict"] = answer
    page = visit()
    page.set_input_files("#file", photo)
    for part in words:
        expect(page.get_by_role("status")).to_contain_text(part)


@needs_chromium
def test_what_breaks_on_the_way_can_be_tried_again(visit, photo):
    page = visit()
    page.route("**/predict", lambda route: route.abort())
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("The service cannot be reached")
    page.unroute("**/predict")
    page.get_by_role("button", name="Try again").click()
    expect(heading(page)).to_contain_text("red")


@needs_chromium
def test_a_text_file_and_a_wrong_address_are_refused_before_anything_is_sent(visit, gateway):
    page = visit()
    drop(page, ("notes.txt", "text/plain", b"notes"))
    expect(heading(page)).to_have_text("This file is not a picture")
    for text in ("hello", "ftp://example.com/a.jpg", "javascript:alert(1)", ""):
        ask_for_url(page, text)
        expect(heading(page)).to_have_text("This is not the URL of a photo")
    assert not any(path == "/predict" for path, *_ in gateway.requests)


@needs_chromium
def test_a_large_photo_is_said_to_be_made_smaller_and_stands_upright(visit, gateway, large_photo):
    page = visit()
    expect(page.get_by_text("Larger than 4.4\u00a0MB? It is shrunk in your browser first.")).to_be_visible()
    page.set_input_files("#file", large_photo)
    expect(page.get_by_role("status")).to_contain_text("It was sent as a JPEG of 1575 × 2048 pixels")
    expect(page.locator("tr")).to_have_count(3)
    kind, body = gateway.sent()
    assert (kind, len(body) < LIMIT) == ("image/jpeg", True)
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.size == (1575, 2048)
        above, below = (picture.resize((1, 1), box=box) for box in ((0, 0, 1575, 200), (0, 300, 1575, 2048)))
    assert above.getpixel((0, 0))[2] > above.getpixel((0, 0))[0]
    assert below.getpixel((0, 0))[0] > below.getpixel((0, 0))[2]


@needs_chromium
def test_what_the_browser_cannot_make_smaller_is_said(visit, gateway, tmp_path):
    (tmp_path / "large.tiff").write_bytes(bytes(LIMIT + 1))
    page = visit()
    page.set_input_files("#file", tmp_path / "large.tiff")
    expect(heading(page)).to_have_text("This browser cannot open TIFF photos")
    expect(page.get_by_role("status")).to_contain_text("It is 4.4\u00a0MB; the service accepts 4.4\u00a0MB.")
    expect(page.locator("figure")).to_contain_text("large.tiff")
    assert not any(path == "/predict" for path, *_ in gateway.requests)


@needs_chromium
@pytest.mark.parametrize("kind", ["image/heic", ""])
def test_a_phone_s_format_that_neither_browser_nor_service_opens_is_said(visit, gateway, kind):
    page = visit()
    page.set_input_files("#file", {"name": "phone.HEIC", "mimeType": kind, "buffer": b"HEIC"})
    expect(heading(page)).to_have_text("This browser cannot open HEIC photos")
    expect(page.get_by_role("status")).to_contain_text("Save it as JPEG and try again.")
    assert not any(path == "/predict" for path, *_ in gateway.requests)


@needs_chromium
@pytest.mark.parametrize("path", ["/test", "/test/"])
def test_it_works_behind_a_stage(visit, gateway, photo, path):
    page = visit(path)
    expect(page.get_by_text("The model recognizes blue, green, red.")).to_be_visible()
    page.set_input_files("#file", photo)
    expect(heading(page)).to_contain_text("red")
    assert {path for path, *_ in gateway.requests} - {path} == {"/test/model", "/test/predict"}
    expect(page.locator("#curl")).to_contain_text("/test/predict")


@needs_chromium
def test_a_key_is_asked_for_when_the_service_wants_one(visit, gateway, served, photo):
    gateway.answers["/photos/red.png"] = as_png(photo)
    page = visit("/test")
    expect(page.get_by_label("API key")).to_be_hidden()
    gateway.key = KEY
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("This service requires an API key")
    expect(page.get_by_label("API key")).to_be_focused()
    page.keyboard.type("wrong\n")
    expect(heading(page)).to_have_text("This API key is not accepted")
    page.keyboard.type(f" {KEY} \n")
    expect(heading(page)).to_contain_text("red")
    expect(page.get_by_label("API key")).to_be_hidden()
    page.reload()
    page.set_input_files("#file", photo)
    expect(heading(page)).to_contain_text("red")
    assert KEY not in page.url + page.inner_html("html")
    assert all(KEY not in path for path, *_ in gateway.requests)


@needs_chromium
@pytest.mark.parametrize("reason", ["MissingAuthenticationTokenException", "AccessDeniedException:http://x/"])
def test_a_service_that_wants_signatures_is_not_taken_for_one_with_a_key(visit, gateway, photo, reason):
    refusal = as_json({"message": "Forbidden"}, 403)
    gateway.answers["/predict"] = refusal.replace(headers={**refusal.headers, "x-amzn-ErrorType": reason})
    page = visit()
    page.set_input_files("#file", photo)
    expect(heading(page)).to_have_text("Access denied")
    expect(page.get_by_label("API key")).to_be_hidden()


@needs_chromium
def test_a_page_that_meets_a_closed_door_shows_the_field_at_once(visit, gateway):
    gateway.key = KEY
    page = visit()
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    expect(page.get_by_text("The model recognizes blue, green, red.")).to_be_visible()


@needs_chromium
def test_everything_works_by_keyboard(visit, gateway, served, photo):
    gateway.answers["/photos/red.png"] = as_png(photo)
    page = visit()
    # Well before the key: what is listened for only at that moment, a busy Chromium may not hand over.
    page.on("filechooser", lambda chooser: chooser.set_files(photo))
    page.keyboard.press("Tab")
    assert page.locator("#drop").evaluate("zone => getComputedStyle(zone).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(heading(page)).to_contain_text("red")
    page.keyboard.press("Tab")
    page.keyboard.type("nowhere\n")
    expect(heading(page)).to_have_text("This is not the URL of a photo")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")  # it selects what was typed
    page.keyboard.type(f"{served[1]}/photos/red.png")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(heading(page)).to_contain_text("red")


@needs_chromium
def test_where_no_url_is_fetched_there_is_no_field_and_a_pasted_one_is_ignored(visit, gateway, photo):
    page = visit("/no-urls")
    expect(page.get_by_label("URL of a photo")).to_be_hidden()
    paste(page, text_plain="https://example.com/red.png")
    page.set_input_files("#file", photo)
    expect(heading(page)).to_contain_text("red")
    assert [path for path, *_ in gateway.requests if path.endswith("/predict")] == ["/no-urls/predict"]


@needs_chromium
@pytest.mark.parametrize("width", [390, 1280])
def test_a_score_of_a_hundred_per_cent_fits_its_column(visit, gateway, photo, width):
    best = {"label": "red", "confidence": 1.0, "accepted": True, "scores": {"red": 1.0, "blue": 0.0}}
    gateway.answers["/predict"] = as_json(best)
    page = visit(viewport={"width": width, "height": 844})
    page.set_input_files("#file", photo)
    cell = page.get_by_role("row").first.locator("td").last
    expect(cell).to_have_text("100.0\u00a0%")
    assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


@needs_chromium
def test_labels_and_names_of_strangers_are_shown_and_not_obeyed(visit, gateway, photo):
    page = visit("/hostile", viewport={"width": 390, "height": 844})
    drop(page, (f"{HOSTILE[0]}.png", "image/png", photo.read_bytes()))
    expect(page.locator("tr")).to_have_count(3)
    gateway.answers["/predict"] = ours("unreadable-image", HOSTILE[1])
    drop(page, (HOSTILE[0], "image/png", b"none"))
    expect(page.get_by_role("status")).to_contain_text(HOSTILE[1])
    assert "\u202e" not in page.content()
    assert page.title() == "What is in this photo?"
    assert page.locator("script").count() == 1
    assert pixels_beyond(page) == 0


@needs_chromium
def test_an_answer_is_corrected_by_keyboard_where_there_are_records(visit, gateway, photo):
    gateway.key = KEY
    page = visit("/records", viewport={"width": 390, "height": 844})
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Use this key").click()
    page.set_input_files("#file", photo)
    page.get_by_text("Wrong?").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".correction").get_by_role("status")).to_have_text(
        "Thank you. It is recorded as none of these."
    )
    body = next(body for path, _, body in gateway.requests if path.endswith("/feedback"))
    assert json.loads(body)["label"] == "_other"
    page.locator("select").select_option(HOSTILE[1])
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".correction").get_by_role("status")).to_contain_text("Thank you")
    assert json.loads(gateway.requests[-1][2])["label"] == HOSTILE[1]
    assert page.locator("script").count() == 1
    assert pixels_beyond(page) == 0
    expect(page.locator("#recorded")).to_contain_text("without the photos")


@needs_chromium
def test_without_records_there_is_nothing_to_correct(visit, photo):
    page = visit()
    page.set_input_files("#file", photo)
    expect(heading(page)).to_contain_text("red")
    expect(page.get_by_text("Wrong?")).to_have_count(0)


@needs_chromium
def test_the_javascript_of_the_docs_gets_an_answer(visit, gateway, served, photo):
    (code,) = re.findall("```js\n(.*?)```", CALLING.read_text("utf-8"), re.DOTALL)
    gateway.key = KEY
    data = transfer(visit(), (photo.name, "image/png", photo.read_bytes()))
    body = f"async ({{ files: [file] }}, [api, key]) => {{ {code}\nreturn text; }}"
    assert data.evaluate(body, [f"{served[1]}/test", KEY]) == "red"


@needs_chromium
def test_many_labels_are_folded_after_the_best(visit, gateway, photo):
    scores = {f"label {number}": 1 / 40 for number in range(40)}
    best = {"label": "label 0", "confidence": 1 / 40, "accepted": True}
    gateway.answers["/predict"] = as_json({**best, "scores": scores})
    page = visit()
    page.set_input_files("#file", photo)
    expect(page.get_by_role("row")).to_have_count(5)
    page.get_by_text("35 more labels").click()
    expect(page.get_by_role("row")).to_have_count(40)


@needs_chromium
def test_labels_that_are_all_but_impossible_are_folded(visit, gateway, photo):
    scores = {"yes": 0.9994, "hardly": 0.0005, "no": 0.0001, "never": 0.0}
    gateway.answers["/predict"] = as_json(
        {"label": "yes", "confidence": 0.9994, "accepted": True, "scores": scores}
    )
    page = visit()
    page.set_input_files("#file", photo)
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_text("2 more labels").click()
    expect(page.get_by_role("row")).to_have_count(4)


@needs_chromium
@pytest.mark.parametrize("way", ["drop", "pick"])
def test_several_photos_are_answered_one_after_the_other(visit, gateway, colour_photos, way):
    files = [colour_photos / "test" / label / "02.png" for label in ("red", "blue", "green")]
    page = visit()
    if way == "drop":
        drop(page, *((file.name, "image/png", file.read_bytes()) for file in files))
    else:
        page.set_input_files("#file", files)
    expect(heading(page)).to_contain_text(["red", "blue", "green"])
    sent = [body for path, _, body in gateway.requests if path == "/predict"]
    assert sent == [file.read_bytes() for file in files]
    page.set_input_files("#file", files[1])
    expect(heading(page)).to_have_count(1)
    expect(heading(page)).to_contain_text("blue")


@needs_chromium
def test_one_photo_that_fails_does_not_stop_the_others(visit, gateway, photo):
    page = visit()
    broken, notes = ("broken.png", "image/png", b"none"), ("notes.txt", "text/plain", b"notes")
    drop(page, broken, notes, (photo.name, "image/png", photo.read_bytes()))
    expect(heading(page).nth(2)).to_contain_text("red")
    expect(heading(page).nth(1)).to_have_text("This file is not a picture")
    expect(heading(page).nth(0)).not_to_contain_text("red")


@needs_chromium
def test_no_more_photos_are_sent_at_a_time_than_the_page_says(visit, gateway, photo):
    page = visit()
    drop(page, *[(f"{number}.png", "image/png", photo.read_bytes()) for number in range(23)])
    expect(page.get_by_text("Up to 20 photos at a time: these are the first 20 of 23.")).to_be_visible()
    expect(heading(page)).to_contain_text(["red"] * 20)
    assert sum(path == "/predict" for path, *_ in gateway.requests) == 20


@needs_chromium
def test_a_key_is_asked_for_once_and_all_photos_follow(visit, gateway, photo):
    page = visit("/test")
    expect(page.get_by_text("The model recognizes")).to_be_visible()
    gateway.key = KEY
    drop(page, *[(f"{number}.png", "image/png", photo.read_bytes()) for number in range(3)])
    expect(heading(page)).to_have_text(["This service requires an API key", "Waiting…", "Waiting…"])
    page.keyboard.type(f"{KEY}\n")
    expect(heading(page)).to_contain_text(["red"] * 3)


CONTRASTS = """() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => parse(colour).slice(0, 3).map((c) => c / 255)
        .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
    const behind = (element) => {
        const colour = getComputedStyle(element).backgroundColor;
        return (parse(colour)[3] ?? 1) > 0 ? colour : behind(element.parentElement);
    };
    const texts = [...document.querySelectorAll("main *")].filter((element) => element.checkVisibility() &&
        [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return texts.map((element) => {
        const [low, high] = [light(getComputedStyle(element).color), light(behind(element))]
            .sort((one, other) => one - other);
        return [element.outerHTML.slice(0, 80), (high + 0.05) / (low + 0.05)];
    });
}"""


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read_at_any_width_by_day_and_night(visit, gateway, photo, scheme, width):
    page = visit(
        color_scheme=scheme, viewport={"width": width, "height": 844}, reduced_motion="reduce", has_touch=True
    )

    def check():
        assert pixels_beyond(page) == 0
        weak = [(text, ratio) for text, ratio in page.evaluate(CONTRASTS) if ratio < 4.5]
        assert weak == []  # WCAG 2.2, 1.4.3, level AA

    expect(page.get_by_text("The model recognizes")).to_be_visible()
    check()
    page.set_input_files("#file", photo)
    expect(heading(page)).to_contain_text("red")
    check()
    gateway.answers["/predict"] = as_json({"message": "Forbidden"}, 403)
    page.set_input_files("#file", photo)
    expect(page.get_by_label("API key")).to_be_visible()
    check()


@needs_chromium
def test_every_control_has_a_name_for_a_screen_reader(visit, gateway, photo):
    page = visit(has_touch=True)
    gateway.answers["/predict"] = as_json({"message": "Service Unavailable"}, 503)
    page.set_input_files("#file", photo)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.evaluate("document.querySelector('#key-form').hidden = false")
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "textbox", "link", "image", "heading", "DisclosureTriangle", "region"}
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in nodes
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert {"button", "textbox", "image", "heading", "region"} <= {role for role, _ in named}
    assert [role for role, name in named if not name] == []
    assert page.locator("html").get_attribute("lang") == "en"
