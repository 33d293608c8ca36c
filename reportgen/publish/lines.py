"""Pages in short lines: in a repository, a value that changed is a line of a difference, and three lines on either side come with it."""

import re

# Where a space is a space: in these, a line break would be seen, or be none.
_WHOLE = "script|style|pre|textarea|title|text|code"
_TOKEN = re.compile(rf"(<!--.*?-->|<(?:{_WHOLE})\b[^>]*(?<!/)>.*?</(?:{_WHOLE})>|<[^>]*>)", re.DOTALL)
_DRAWN = re.compile(r"\A<(?:svg|use|path|text)\s[^>]*")
_NAME = re.compile(r'(?<= aria-label=")[^"]*')
_BETWEEN_ATTRIBUTES = re.compile(r'(?<=") (?=[\w:-]+=")')
_AFTER_A_PAUSE = re.compile(r"(?<=[.,;:]) (?=\S)")
_BETWEEN_CELLS = re.compile(r"(</t[dh]>|<tr\b[^>]*>)(?=<t[dh]\b)")


def short_lines(page: str) -> str:
    """The same page (HTML or SVG) in shorter lines: a cell, a part of a sentence, an attribute of a drawing's mark are one each.

    Spaces become line breaks where both mean the same, and between the cells of a table, where neither means anything; how long a line
    is depends on what is in it alone, so that a change of one leaves the others as they are.
    """
    tokens = _TOKEN.split(page)
    for place, token in enumerate(tokens):
        # Text and what stands between the texts take turns.
        if place % 2:
            tokens[place] = _DRAWN.sub(lambda tag: _drawn(tag[0]), token, count=1)
        elif token:
            token = _AFTER_A_PAUSE.sub("\n", token)
            before_a_link = place + 1 < len(tokens) and tokens[place + 1].startswith("<a ")
            tokens[place] = f"{token[:-1]}\n" if before_a_link and token.endswith(" ") else token
    return _BETWEEN_CELLS.sub("\\1\n", "".join(tokens))


def _drawn(tag: str) -> str:
    """A tag with an attribute a line; the words that are read out for a drawing, too, break where they pause."""
    return _BETWEEN_ATTRIBUTES.sub("\n", _NAME.sub(lambda name: _AFTER_A_PAUSE.sub("\n", name[0]), tag))


def short_rows(table: str) -> str:
    """The same table in LaTeX with a cell a line; what is behind a % stays behind it."""
    return "".join(line if "%" in line.replace("\\%", "") else line.replace(" & ", " &\n") for line in table.splitlines(keepends=True))
