"""A page in short lines says the same as the page."""

import difflib
import re
from html.parser import HTMLParser

from reportgen.publish.lines import short_lines, short_rows

CELLS = "".join(f'<td class="numeric" data-value="0.{digit}">0,{digit}</td>' for digit in range(10))
WORDS = "Tầng 1: tau = 0,4; tầng 2: tau = 0,5. "
PAGE = f"""<!DOCTYPE html><html><head><title>One. Two</title><script>a = "x. y";
</script><style>p {{ margin: 0 1px; }} </style></head><body><table><tbody><tr id="row-1">{CELLS}</tr></tbody></table>
<p class="a b">{WORDS * 3}see <a href="#row-1">the row, there</a> <code>x = f(a, b)</code> &lt;p&gt; <!-- a, b <p> --></p><pre>a, b
c. d</pre><textarea>a, b</textarea>
<svg aria-label="Tau: ten layers, one. By &quot;estimator&quot;" viewBox="0 0 1 1">
<use xlink:href="#a" x="1" y="2" style="fill: none; x: 1"><title>tau: 1, 2</title></use>
<path d="M 0 0, L 1 1" style="a: b" /><text x="1">one, two</text></svg></body></html>"""


class _Seen(HTMLParser):
    """What a browser makes of a page: elements, and texts with every run of white space a space, but for those that keep theirs."""

    def __init__(self, page):
        super().__init__()
        self.found, self.inside = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, [(name, re.sub(r"\s+", " ", value)) for name, value in attributes]))
        self.inside.append(tag)

    def handle_endtag(self, tag):
        self.found.append(f"/{tag}")
        self.inside.pop()

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_data(self, data):
        keeps = self.inside and self.inside[-1] in ("script", "style", "pre", "textarea", "title", "text", "code")
        between_cells = self.inside and self.inside[-1] in ("table", "tbody", "tr") and not data.strip()
        if not between_cells:
            self.found.append(data if keeps else re.sub(r"\s+", " ", data))

    def handle_comment(self, data):
        self.found.append(("comment", data))


def test_a_browser_shows_the_same():
    short = short_lines(PAGE)
    assert _Seen(short).found == _Seen(PAGE).found
    assert short_lines(short) == short
    assert max(map(len, short.splitlines())) < 100 < max(map(len, PAGE.splitlines()))


def test_what_changed_is_a_short_line():
    """A value in a row, in a sentence, in a drawing and in the words for it: no line but its own."""
    for old, new in (
        ("0,7</td>", "0,71</td>"),
        ("tau = 0,5. see", "tau = 0,55. see"),
        ('y="2"', 'y="2.5"'),
        ("ten layers", "eleven layers"),
    ):
        assert old in PAGE
        lines = difflib.unified_diff(short_lines(PAGE).splitlines(), short_lines(PAGE.replace(old, new, 1)).splitlines(), lineterm="")
        changed = [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]
        assert len(changed) == 2, changed
        assert max(map(len, changed)) < 90, changed


def test_a_cell_of_a_latex_table_is_a_line():
    table = "% a & b\n1 & 5\\% & \\& \\\\\n2 & 3 % a & b\n"
    assert short_rows(table) == "% a & b\n1 &\n5\\% &\n\\& \\\\\n2 & 3 % a & b\n"
