import io
import itertools

import pytest

from reportgen.terminal import Display, _Lines, stage_name, timings_table, verdict_summary

STATEMENTS = {1: "early_layers", 2: "deep_layers", 3: "negative_tau", 4: "tau_separation", 5: "constant_shift"}


def rows(estimators=("histogram", "corrected", "nearest_neighbour"), controls=("none", "different_word"), verdict="not_testable"):
    return [
        {"statement": number, "name": name, "estimator": estimator, "control": control, "verdict": verdict}
        for control, (number, name), estimator in itertools.product(controls, STATEMENTS.items(), estimators)
        if not (number == 5 and estimator == "nearest_neighbour")
    ]


def test_a_table_for_each_control():
    lines = verdict_summary(rows(), 80).splitlines()
    assert lines[0] == "Verdicts"
    assert lines[1].split("  ") != []
    assert lines[1].split() == ["histogram", "corrected", "nearest", "neighbour"]
    assert lines[2].split() == ["1", "early", "layers", *["not", "testable"] * 3]
    assert lines[6].split() == ["5", "constant", "shift", *["not", "testable"] * 2, "-"]
    assert lines[8] == "Verdicts with the control taken off: different word"
    assert len(lines) == 15


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("estimators", [("histogram",), ("histogram", "corrected", "nearest_neighbour", "gaussian_copula", "expected")])
def test_never_wider_than_the_terminal_and_nothing_lost(width, estimators):
    text = verdict_summary(rows(estimators), width)
    assert max(map(len, text.splitlines())) <= width
    assert " ".join(text.split()).count("not testable") == len(rows(estimators))


def test_a_column_starts_where_its_head_starts():
    head, *body = verdict_summary(rows(verdict="supported", controls=("none",)), 80).splitlines()[1:]
    for word in ("histogram", "corrected", "nearest neighbour"):
        column = head.index(word)
        assert {line[column : column + 9].strip() for line in body} <= {"supported", "-"}


def test_one_line_a_stage_where_there_is_no_terminal():
    stream = io.StringIO()
    display = Display(stream)
    with display.stage("capture", 30) as advance:
        advance(30)
    with display.stage("some_new_stage", 1):
        pass
    assert stream.getvalue() == "Capturing activations\nSome new stage\n"
    assert list(display.seconds) == ["capture", "some_new_stage"]


def test_quiet():
    stream = io.StringIO()
    display = Display(stream, quiet=True)
    with display.stage("capture", 30) as advance:
        advance(30)
    assert stream.getvalue() == ""
    assert list(display.seconds) == ["capture"]


def test_bars_on_a_terminal_also_for_a_stage_within_another(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    display = Display(stream)
    with display.stage("capture", 30) as advance:
        advance(10)
        with display.stage("fetch_model", 5) as inner:
            inner(5)
        advance(20)
    with display.stage("statistics", 2) as advance:
        advance(2)
    text = stream.getvalue()
    for shown in ("Capturing activations", "30/30", "Fetching the model", "5/5", "2/2"):
        assert shown in text


def test_a_failing_stage_does_not_hide_its_error():
    display = Display(io.StringIO())

    def fail():
        with display.stage("capture", 1):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()


def test_timings_longest_first_and_the_rest():
    assert timings_table({"render": 0.5, "capture": 12.35}, 14.0).splitlines() == [
        f"{stage_name('capture'):<32}{'12.35':>8} s",
        f"{'Everything else':<32}{'1.15':>8} s",
        f"{stage_name('render'):<32}{'0.50':>8} s",
        f"{'Total':<32}{'14.00':>8} s",
    ]


def test_a_long_stage_says_where_it_is_in_a_log():
    stream, now = io.StringIO(), [0.0]
    lines = _Lines("Computing cells", 48, stream, lambda: now[0])
    for moment, steps in ((10, 1), (29.9, 2), (30, 1), (45, 4), (61, 4), (2000, 35), (3000, 1)):
        now[0] = moment
        lines.advance(steps)
    # 4 cells in 30 s, then 12 in 61 s: (48 - 4) * 7.5 s and (48 - 12) * 61 / 12 s are left.
    assert stream.getvalue().splitlines() == [
        "Computing cells: 4 of 48, 8 a minute, about 5:30 left",
        "Computing cells: 12 of 48, 11.8 a minute, about 3:03 left",
        "Computing cells: 47 of 48, 1.41 a minute, about 0:43 left",
    ]


def test_what_nobody_counts_along_with_is_in_percent():
    stream, now = io.StringIO(), [0.0]
    lines = _Lines("Fetching the model", 94_000_000, stream, lambda: now[0])
    now[0] = 3600.0
    lines.advance(23_500_000)
    assert stream.getvalue() == "Fetching the model: 25 %, about 3:00:00 left\n"
