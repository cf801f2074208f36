"""Any text that a stranger may send, for property tests."""

from hypothesis import strategies as st

# With lone surrogates, and with more than its share of what terminals, pages, JSON and spreadsheets obey.
TEXTS = st.text(
    st.characters()
    | st.characters(categories=("Cs", "Cc", "Cf"))
    | st.sampled_from("=+-@'\t\r\n\u202e\x9b[]<>&\"\\{}%")
)
