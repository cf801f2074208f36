import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shutterless.runtime.forms import extract_image
from shutterless.runtime.problems import Problem

BOUND = "multipart/form-data; boundary=bound"
END = b"--bound--\r\n"


def field(name: str, content: bytes, attributes: str = '; filename="a.png"') -> bytes:
    head = f'--bound\r\nContent-Disposition: form-data; name="{name}"{attributes}\r\n'
    return head.encode() + b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"


@settings(derandomize=True, database=None, deadline=None)
@given(
    st.binary(max_size=50) | st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"--", b"\xff"])).map(b"".join)
)
def test_a_form_gives_the_picture_byte_for_byte(data):
    assert extract_image('multipart/form-data; boundary="bound"', field("image", data) + END) == data


def test_the_picture_is_in_the_field_image():
    form = field("note", b"hello") + field("image", b"picture") + field("other", b"file") + END
    assert extract_image(BOUND, form) == b"picture"


def test_the_field_image_need_not_be_a_file():
    assert extract_image(BOUND, field("image", b"picture", "") + END) == b"picture"


def test_the_only_file_is_the_picture_whatever_its_field_is_called():
    form = field("note", b"filename=x", "") + field("photo", b"picture") + END
    assert extract_image(BOUND, form) == b"picture"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data", field("image", b"x") + END),
        ("multipart/form-data; boundary=", field("image", b"x") + END),
        ("multipart/form-data; boundary=other", field("image", b"x") + END),
        ("multipart/form-data; boundary=\ud800", field("image", b"x") + END),
        (BOUND, b""),
        (BOUND, b"--bound\r\n"),
        (BOUND, field("photo", b"x", '; file="a.png"') + END),
        (BOUND, field("a", b"x") + field("b", b"x") + END),
    ],
)
def test_a_form_without_a_picture_is_invalid(content_type, body):
    with pytest.raises(Problem) as caught:
        extract_image(content_type, body)
    assert caught.value.code == "invalid-request"


def test_a_form_with_two_pictures_is_invalid_because_only_one_would_be_answered():
    with pytest.raises(Problem) as caught:
        extract_image(BOUND, field("image", b"x") + field("image", b"y") + END)
    assert caught.value.code == "invalid-request"
    assert "2" in caught.value.detail


def test_a_form_with_thousands_of_fields_is_invalid():
    thousand = field("note", b"x", "") * 999 + field("image", b"picture")
    assert extract_image(BOUND, thousand + END) == b"picture"
    with pytest.raises(Problem) as caught:
        extract_image(BOUND, field("note", b"x", "") + thousand + END)
    assert caught.value.code == "invalid-request"
