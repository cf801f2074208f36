from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from shutterless.utils.escaping import plain
from shutterless.utils.html import render_page
from tests.texts import TEXTS

TEMPLATE = """{% extends "page.html.j2" %}
{% block title %}{{ text }}{% endblock %}
{% block body %}<p title="{{ text }}">{{ text }}</p>{% endblock %}
"""


class Reader(HTMLParser):
    """Notes the elements of a page, and the text and the attributes of those in its body."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements, self.titles, self.texts = [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.titles += [value for name, value in attributes if name == "title"]

    def handle_data(self, data):
        if self.elements[-1:] == ["p"]:
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Iterator[str]:
    """A package with a template that shows a text."""
    folder = tmp_path_factory.mktemp("pages") / "pages_of_a_test"
    (folder / "templates").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "templates" / "text.html.j2").write_text(TEMPLATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder.parent)
        yield folder.name


@settings(max_examples=25)
@given(TEXTS)
def test_a_page_shows_any_text_literally_and_gets_no_element_from_it(package, text):
    page = read(render_page(package, "text.html.j2", {"text": text}))
    assert page.elements == read(render_page(package, "text.html.j2", {"text": ""})).elements
    assert page.titles == [plain(text)]
    assert "".join(page.texts).rstrip("\n") == plain(text).rstrip("\n")
