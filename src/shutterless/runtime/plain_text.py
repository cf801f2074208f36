"""Text of strangers, such as a label or a file name, made safe to show."""

# Zero-width joiners: letters of Persian and Indic scripts, and many emoji, need them.
JOINERS = "\u200c\u200d"


def plain(text: str) -> str:
    """Replace control characters, so that a terminal obeys none of them and text keeps its direction.

    Line breaks, tabs and the zero-width joiners stay. Other spaces become plain ones.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in "\n\t" + JOINERS else _replacement(character)
        for character in text
    )


def _replacement(character: str) -> str:
    import unicodedata  # most texts do without

    return " " if unicodedata.category(character) == "Zs" else "\ufffd"
