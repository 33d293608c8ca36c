"""Templates that are somebody else's: what they can reach, and how far they can go."""

import datetime
import os
import re
import resource
import time
from pathlib import Path

import jinja2
import numpy
import pytest
from jinja2.runtime import Undefined
from markupsafe import Markup

from analyses.errors import InputError
from reportgen.documents import sandbox
from reportgen.documents.assets import Assets, contained
from reportgen.documents.sandbox import METHODS, TemplateEnvironment, plain
from reportgen.documents.writer import Writer

PLAIN = (str, int, float, bool, type(None), list, dict, Markup)


class Tool:
    """A function of the program that holds something of the program."""

    def __init__(self):
        self.path = Path("/etc")

    def shout(self, word):
        return str(word).upper()


@pytest.fixture
def environment():
    made = TemplateEnvironment(jinja2.DictLoader({}))
    made.offer(shout=Tool().shout)
    return made


def rendered(environment, source, **context):
    environment.loader = jinja2.DictLoader({"page": source})
    return environment.render("page", context)


DATA = {"word": "tea", "count": 3, "share": 0.5, "names": ["a", "b"], "by": {"title": "T", "items": [1]}, "html": Markup("<b>x</b>")}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ word }} {{ word.upper() }} {{ shout(word) }}", "tea TEA TEA"),
        ("{{ by.title }} {{ by['items'][0] }} {% for key, value in by.items() if key == 'title' %}{{ value }}{% endfor %}", "T 1 T"),
        ("{{ '<i>' }}{{ html }}{{ word ~ html ~ '<' }}", "&lt;i&gt;<b>x</b>tea<b>x</b>&lt;"),
        ("{% for name in names %}{{ loop.index }}{{ name }}{% if not loop.last %}, {% endif %}{% endfor %}", "1a, 2b"),
        ("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice(word) }}", "teatea"),
        ("{% set state = namespace(n=1) %}{% for name in names %}{% set state.n = state.n + 1 %}{% endfor %}{{ state.n }}", "3"),
        ("{{ names | join(' / ') }} {{ names | map('upper') | list | length }} {{ 'a-b' | replace('-', '+') }}", "a / b 2 a+b"),
        ("{{ '%.2f' % (100 * share) }} {{ '%d of %s' % (count, word) }} {{ 2 ** 10 }} {{ share | round(1) }}", "50.00 3 of tea 1024 0.5"),
        ("{{ names | sum('x') if false else [1, 2] | sum }} {{ missing | default('none') }}", "3 none"),
        ("{% set both = names + ['c'] %}{{ both[2] }} {{ word[1:] }} {{ word in ['tea'] }}", "c ea True"),
    ],
)
def test_what_templates_do(environment, source, expected):
    assert rendered(environment, source, **DATA) == expected


REACHES = [
    "{{ word.__class__ }}",
    "{{ word['__class__'] }}",
    "{{ word | attr('upper') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ names.append('c') }}",
    "{{ by.update(x=1) }}",
    "{{ by.pop('title') }}",
    "{{ by.clear() }}",
    "{{ by.__init__.__globals__ }}",
    "{{ shout.__self__.path }}",
    "{{ shout.__func__.__globals__ }}",
    "{{ shout['__self__'] }}",
    "{{ shout }}",
    "{{ shout.__call__('x') }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ loop }}",
    "{% for x in names %}{{ loop._iterator }}{% endfor %}",
    "{% for x in names %}{{ loop.__class__ }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ range.__self__ }}",
    "{{ dict.__mro__ }}",
    "{{ dict.mro() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ namespace(x=1)._Namespace__attrs }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ config }}",
    "{{ request }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ '{0.__class__}'.format(word) }}",
    "{{ '{0.__class__}'.format_map({'0': word}) }}",
    "{{ 'x'.encode() }}",
    "{{ word.translate({116: 'T'}) }}",
    "{{ word.join(names) }}",
    "{{ html.format(word) }}",
    "{{ html.__html__.__self__ }}",
    "{{ html.unescape.__func__ }}",
    "{{ names | map(attribute='__class__') | list }}",
    "{{ names | groupby('__class__') | list }}",
    "{{ names | sort(attribute='__class__') | list }}",
    "{{ names | selectattr('__class__') | list | length > 0 and 1 / 0 }}",
    "{{ [word, names] | map('attr', '__class__') | list }}",
    "{{ word | pprint }}",
    "{{ word | tojson }}",
    "{{ names | random }}",
    "{{ word | xmlattr }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret' %}",
    "{% import '/etc/passwd' as x %}",
    "{% extends '../../../../etc/passwd' %}",
    "{% debug %}",
    "{% do names.append(1) %}",
    "{{ names.__getattribute__('append') }}",
    "{{ (names | list).append(1) }}",
    "{{ by.get('missing') }}",
    "{{ names | map('upper') }}",
    "{{ word.__doc__ }}",
    "{{ count.real }}",
    "{{ count.to_bytes(3, 'big') }}",
    "{{ share.hex() }}",
    "{{ share.as_integer_ratio() }}",
    "{{ 1 / 0 }}",
    "{{ word + count }}",
    "{{ word }",
    "{% for x in names recursive %}{{ loop(names) }}{% endfor %}",
]


@pytest.mark.parametrize("source", REACHES)
def test_nothing_of_the_program_is_reached(environment, source):
    with pytest.raises(InputError) as caught:
        pytest.fail(rendered(environment, source, **DATA))
    assert str(caught.value).startswith("templates/page")
    assert "\n" not in str(caught.value)


BOMBS = [
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999999999) %}{% endfor %}",
    "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% include 'page' %}",
    "{% extends 'page' %}",
    "{% block a %}{{ self.a() }}{% endblock %}",
    "{{ 'a' * 10000000000 }}",
    "{{ [0] * 10000000000 }}",
    "{{ 10 ** 100000 }}",
    "{{ 'a' ~ ('b' * 9999999999) }}",
    "{{ '%9999999999d' % 1 }}",
    "{{ '%*d' % (9999999999, 1) }}",
    "{{ '%.9999999999f' % 1 }}",
    "{{ 'a'.ljust(9999999999) }}",
    "{{ 'a'.center(9999999999) }}",
    "{{ 'a'.zfill(9999999999) }}",
    "{{ '\t'.expandtabs(9999999999) }}",
    "{{ 'a' | center(9999999999) }}",
    "{{ 'a' | indent(9999999999) }}",
    "{{ 'a' | format }}",
    "{{ 'a' | wordwrap(1) }}",
    "{{ 1.5 | round(999999999) }}",
    "{{ [1] | batch(9999999999, 0) | list }}",
    "{{ [1] | slice(9999999999) | list }}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.x = s.x ~ s.x %}{% endfor %}{{ s.x }}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.x = s.x + s.x %}{% endfor %}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.x = [s.x, s.x] | join %}{% endfor %}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.x = s.x | replace('a', s.x) %}{% endfor %}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set s.x = s.x | replace('', s.x) %}{% endfor %}",
    "{% set s = namespace(x='aaaaaaaaaa') %}{% for i in range(60) %}{% set x %}{{ s.x }}{{ s.x }}{% endset %}{% set s.x = x %}{% endfor %}",
    "{% set s = namespace(x=[1]) %}{% for i in range(60) %}{% set s.x = s.x + s.x %}{% endfor %}{{ s.x | length }}",
    "{% set s = namespace(x=3) %}{% for i in range(60) %}{% set s.x = s.x * s.x %}{% endfor %}{{ s.x }}",
    "{% set s = namespace(x=3) %}{% for i in range(60) %}{% set s.x = s.x ** 9 %}{% endfor %}{{ s.x }}",
    "{% for a in range(100000) %}" + "x" * 100_000 + "{% endfor %}",
    "{% macro m() %}" + "x" * 100_000 + "{% endmacro %}{% for a in range(100000) %}{% set y = m() %}{% endfor %}",
    "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "{{ " + "not " * 50_000 + "1 }}",
    "{{ 1" + " + 1" * 50_000 + " }}",
    "{{ x" + ".a" * 50_000 + " }}",
    "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
    "{% for a in range(100000) %}{% set y = range(100000) | list %}{% endfor %}",
    "{% for a in range(100000) %}{{ range(100000) | sum }}{% endfor %}",
    "{% for a in range(100000) %}{{ range(100000) | map('string') | join }}{% endfor %}",
]


@pytest.mark.slow
@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_no_template_runs_for_ever_or_fills_the_memory(environment, source):
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    with pytest.raises(InputError) as caught:
        rendered(environment, source, **DATA)
    assert len(str(caught.value)) < 1000
    assert time.perf_counter() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_500_000


def test_including_twice_at_every_depth_ends(environment):
    environment.loader = jinja2.DictLoader(
        {f"p{n}": f"{{% include 'p{n + 1}' %}}{{% include 'p{n + 1}' %}}" for n in range(60)} | {"p60": "x"}
    )
    with pytest.raises(InputError, match="more than 500,000 turns"):
        environment.render("p0", {})


def test_plain_data():
    given = {"a": numpy.float64(0.5), "b": (numpy.int64(1), None), "c": datetime.date(2026, 1, 2), "d": {1: Markup("<b>")}, "e": {2}}
    assert plain(given) == {"a": 0.5, "b": [1, None], "c": "2026-01-02", "d": {"1": Markup("<b>")}, "e": [2]}
    for thing in (Path("/etc"), Tool(), open, object(), iter([1]), b"x"):
        with pytest.raises(InputError, match=r"facts\.x\[0\]: a template may see words, numbers, lists and mappings"):
            plain({"x": [thing]})


def reachable(environment, value, path, seen):
    """Everything that a template can get at from a value: by attribute, by key, by place."""
    if id(value) in seen or (isinstance(value, str | int | float | type(None)) and type(value) in seen):
        return
    seen |= {id(value), type(value)} if isinstance(value, str | int | float | type(None)) else {id(value)}
    yield path, value
    for name in dir(value):
        found = environment.getattr(value, name)
        if not isinstance(found, Undefined):
            yield from reachable(environment, found, f"{path}.{name}", seen)
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in entries:
        yield from reachable(environment, item, f"{path}[{key!r}]", seen)


@pytest.fixture
def rendering(monkeypatch):
    """Every environment that was rendered with, and what it was given."""
    calls = []
    render = TemplateEnvironment.render

    def recorded(self, name, context, block=None):
        calls.append((self, name, {key: plain(value) for key, value in context.items()}))
        return render(self, name, context, block)

    monkeypatch.setattr(TemplateEnvironment, "render", recorded)
    return calls


PAGE = {
    "drawing", "legend", "figure_address", "table_address", "data_address", "filled", "joined", "say", "text_in", "number", "alike",
    "numbered",
}  # fmt: skip
SITE = {"both", "say", "verdict", "each"}
OF_JINJA = {"range", "dict", "namespace"}


@pytest.mark.slow
def test_every_object_that_a_template_can_reach(rendering, trial_module, assets):
    from reportgen.documents import build_document, load_languages, render_html
    from reportgen.publish.pages import Pages

    analysis = trial_module.TrialAnalysis()
    results = analysis.run(None, None)
    known = load_languages(*assets.directories)
    languages = [known["vi"], known["en"]]
    document = build_document(
        "trial", analysis.facts(results), analysis.figures(results), analysis.tables(results), languages, assets=assets
    )
    render_html(document)
    Pages(assets, languages).render("publish/index.html.j2", studies=[], canonical=None)
    kinds = set()
    for environment, name, context in rendering:
        offered = set(environment.globals) - OF_JINJA
        assert offered in (PAGE, SITE, set(Writer.FUNCTIONS) - {"language", "edition"}), name
        kinds.add(frozenset(offered))
        methods = {f"{kind.__name__}.{method}" for kind, names in METHODS.items() for method in names}
        for path, value in reachable(environment, {**environment.globals, **context}, name, set()):
            if isinstance(value, PLAIN) and type(value) in PLAIN:
                continue
            owner = getattr(value, "__self__", None)
            if owner is not None and isinstance(owner, str | dict | list) and not callable(owner):
                kind = "str" if isinstance(owner, str) else type(owner).__name__
                assert f"{kind}.{value.__name__}" in methods, path
            else:
                # One of the functions that the program offers, by its name, and nothing leads on from it.
                assert re.fullmatch(rf"{re.escape(name)}\['(\w+)'\]", path), path
                assert value in environment.globals.values(), path
    assert len(kinds) == 3


def test_files_of_the_templates_folder_only(tmp_path):
    own = tmp_path / "own"
    (own / "trial" / "components").mkdir(parents=True)
    (tmp_path / "secret").write_text("the secret")
    (own / "trial" / "components" / "leak.html.j2").symlink_to(tmp_path / "secret")
    (own / "styles").mkdir()
    (own / "styles" / "report.css").symlink_to("/etc/hostname")
    assets = Assets.default(own)
    with pytest.raises(InputError, match="is a link that leads out of"):
        assets.environment().render("trial/components/leak.html.j2", {})
    with pytest.raises(InputError, match="is a link that leads out of"):
        assets.text("styles/report.css")
    (own / "here.txt").write_text("x")
    (own / "there.txt").symlink_to("here.txt")
    assert contained(own / "there.txt", own) == own / "there.txt"


@pytest.mark.parametrize("kind", ["pipe", "folder", "latin", "large"])
def test_a_template_that_is_no_template(tmp_path, kind):
    file = tmp_path / "report" / "document.html.j2"
    file.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "latin":
        file.write_bytes(b"caf\xe9")
    else:
        file.write_bytes(b" " * 2_000_001)
    environment = Assets([tmp_path]).environment()
    with pytest.raises(InputError, match=r"templates/report/document\.html\.j2"):
        environment.render("report/document.html.j2", {})


def test_the_end_of_a_style_sheet_is_no_way_out_of_it(trial_module, tmp_path):
    from reportgen.documents import build_document, load_languages, render_html

    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "screen.css").write_text("p::after { content: '</style><script>alert(1)</script>' }")
    fixture = Path(__file__).parent / "fixture"
    assets = Assets([*Assets.default(fixture).directories, tmp_path])
    analysis = trial_module.TrialAnalysis()
    results = analysis.run(None, None)
    language = load_languages(*assets.directories)["en"]
    document = build_document(
        "trial", analysis.facts(results), analysis.figures(results), analysis.tables(results), [language], assets=assets
    )
    assert "</style><script>alert" not in render_html(document)


def test_the_budget_is_that_of_each_rendering(environment):
    source = "{% for a in range(60000) %}{% set b = a + 1 %}{% endfor %}"
    for _ in range(3):
        assert rendered(environment, source) == ""
    assert sandbox.STEPS == 500_000
