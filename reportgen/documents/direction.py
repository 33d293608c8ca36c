"""Text that runs from right to left inside pages that run from left to right.

A quotation says `dir="auto"` in its template and takes its own direction. A word or a piece of such a script elsewhere is put into
`<bdi>`, so that the order of what stands around it (a number, a bracket, the next piece) stays that of the page.
"""

import re
import unicodedata

# Hebrew to Arabic Extended-A, presentation forms, and the scripts from U+10800 to U+10FFF and of Mende, Adlam and Arabic mathematics.
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_ANY = re.compile(f"[{_RIGHT_TO_LEFT}]")
# A run of words: what lies between two of its letters and has no direction of its own, but no quotation mark or bracket.
_RUN = re.compile(f"[{_RIGHT_TO_LEFT}](?:[ \u00a0\u00ad\u200c-\u200f\u2010-\u2015\u0300-\u036f'’.,;:!?-]*[{_RIGHT_TO_LEFT}])*")
_TAG = re.compile(r"(<!--.*?-->|<[^>]*>)", re.DOTALL)
_NAME = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
# In these no mark-up is possible, or it has a direction already.
_CLOSED = frozenset({"title", "style", "script", "textarea", "svg", "bdi", "bdo", "pre"})
_VOID = frozenset({"br", "img", "hr", "input", "link", "meta", "col", "wbr", "source"})
_AUTO = re.compile(r'(<(\w+)[^>]*?) dir="auto"([^>]*>)(.*?)(?=</\2>)', re.DOTALL)


def isolated(page: str) -> str:
    """A page of HTML with every run of right-to-left words in `<bdi>`, but where an element says its direction itself."""
    if not _ANY.search(page):
        return page
    parts, closed = [], 0
    stack: list[bool] = []
    for part in _TAG.split(page):
        name = _NAME.match(part)
        if name is None:
            parts.append(part if closed or part.startswith("<") else _RUN.sub(r"<bdi>\g<0></bdi>", part))
            continue
        parts.append(part)
        if name[2] in _VOID or part.endswith("/>"):
            continue
        if not name[1]:
            stack.append(name[2] in _CLOSED or ' dir="' in part)
            closed += stack[-1]
        elif stack:
            closed -= stack.pop()
    return "".join(parts)


def directed(page: str) -> str:
    """A page in which elements of `dir="auto"` have the direction of their first letter, for a layout engine that does not look."""

    def direction(match: re.Match[str]) -> str:
        start, _, end, content = match.groups()
        right = runs_right_to_left(re.sub(r"<[^>]*>", "", content))
        return f'{start} dir="{"rtl" if right else "ltr"}"{end}{content}'

    return isolated(_AUTO.sub(direction, page))


def runs_right_to_left(text: str) -> bool:
    """Whether the first letter of a text is one of a script that runs from right to left."""
    strong = (unicodedata.bidirectional(character) for character in text)
    return next((kind != "L" for kind in strong if kind in ("L", "R", "AL")), False)
