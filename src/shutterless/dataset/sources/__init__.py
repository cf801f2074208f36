"""Photos from where they are: tables, and the exports of other tools, as labelled photos."""
