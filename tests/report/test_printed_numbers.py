"""Every number that the pages print, read back as a reader of that language reads it, and looked for where it must come from.

Tables are compared cell by cell with the bundle's CSV files and study.json. Sentences are held against the numbers that they may
name, worked out here from the bundle; and both languages must print the same numbers in the same order.
"""

import csv
import itertools
import math
import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest
from scipy import stats

DECIMAL = {"vi": ",", "en": "."}
GROUP = {"vi": ".", "en": ","}
# What carries digits without being a result: citations, links to figures, code, and the studied text with its numbered occurrences.
NO_RESULTS = (".cite", ".ref", "code", "mark", ".study-text")


@dataclass(frozen=True)
class Printed:
    """A number as printed: its value and how many decimals stand there."""

    value: Decimal
    digits: int

    def is_written_from(self, number: float) -> bool:
        if not math.isfinite(number):
            return False
        return abs(Decimal(repr(float(number))) - self.value) <= Decimal("0.5000001") * Decimal(10) ** -self.digits


def numbers_in(text: str, code: str) -> list[Printed]:
    """The numbers of a text in a language: vi 1.234,5 and en 1,234.5; the minus sign is U+2212."""
    text = re.sub(r"(?:số|đường|trên|dưới|bằng|mức|hơn|chứa|cách|của) 0(?![,.]?\d)", "", text)  # how Vietnamese says zero in words
    point, group = re.escape(DECIMAL[code]), re.escape(GROUP[code])
    pattern = rf"(?<![\w{point}])(−?)(\d{{1,3}}(?:{group}\d{{3}})+(?:{point}\d+)?|\d*{point}\d+|\d+)(?!\w)"
    found = []
    for sign, digits in re.findall(pattern, text):
        whole, _, decimals = digits.replace(GROUP[code], "").partition(DECIMAL[code])
        value = Decimal(f"{whole or '0'}.{decimals or '0'}")
        found.append(Printed(-value if sign else value, len(decimals)))
    return found


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("en", "t(46) = 3.42, p = .001", ["46", "3.42", "0.001"]),
        ("vi", "t(46) = 3,42; p = 0,001", ["46", "3.42", "0.001"]),
        ("en", "[−.55, −.04] of 1,234.5 in 30.", ["-0.55", "-0.04", "1234.5", "30"]),
        ("vi", "[−0,55; −0,04] trên 1.234,5 là 30.", ["-0.55", "-0.04", "1234.5", "30"]),
        ("en", "layers 21–30, 10 %", ["21", "30", "10"]),
        ("vi", "các tầng 21–30, 10 %, 4,5.", ["21", "30", "10", "4.5"]),
        ("en", "SmolLM2 and L2", []),
    ],
)
def test_numbers_are_read_as_the_language_writes_them(code, text, expected):
    assert [printed.value for printed in numbers_in(text, code)] == [Decimal(value) for value in expected]


def test_a_printed_number_is_matched_by_what_rounds_to_it():
    printed = Printed(Decimal("0.34"), 2)
    assert printed.is_written_from(0.3449)
    assert printed.is_written_from(0.335)
    assert not printed.is_written_from(0.3451)
    assert not printed.is_written_from(-0.34)
    assert not printed.is_written_from(float("nan"))


# Both languages side by side


def units(document, code, words_of):
    """Name -> text of every unit of parallel text, captions and alternatives included."""
    model = "SmolLM2-135M-Instruct"
    found = {}
    for position, item in enumerate(document.items()):
        if item.kind == "text":
            found[f"text {position}"] = str(item.html[code])
        else:
            found[f"{item.kind} {item.id}: caption"] = str(item.caption[code])
        if item.kind == "figure":
            found[f"figure {item.id}: alternative"] = item.alt[code]
            found[f"figure {item.id}: how to read"] = str(item.how_to_read.get(code, ""))
    return {name: words_of(html, NO_RESULTS).replace(model, "the model") for name, html in found.items()}


@pytest.fixture(scope="module")
def texts(coffee_reports, words_of):
    return {code: units(report.document, code, words_of) for code, report in coffee_reports.items()}


def test_both_languages_print_the_same_numbers_in_the_same_order(texts):
    assert texts["vi"].keys() == texts["en"].keys()
    seen, different = 0, {}
    for name, text in texts["en"].items():
        # "In none of the 30 layers" is 0 of 30.
        vi, en = numbers_in(texts["vi"][name], "vi"), numbers_in(text.replace("in none of the", "in 0 of the"), "en")
        seen += len(en)
        if vi != en:
            different[name] = (texts["vi"][name], text)
    assert different == {}
    assert seen > 400


# Tables, cell by cell


def table(report, name):
    (item,) = [item for item in report.document.items() if item.kind == "table" and item.id == name]
    return item.grid.rows


def cell_text(cell, words_of):
    return words_of(str(cell.html))


def rounded(value, digits):
    return Decimal(repr(float(value))).quantize(Decimal(10) ** -digits, ROUND_HALF_EVEN)


def check_number(text, value, digits, code):
    if value == "" or value is None or not math.isfinite(float(value)):
        assert text.startswith("–"), text
        return
    (printed,) = numbers_in(text, code)
    assert printed.digits == digits
    assert printed.value == rounded(value, digits), (text, value)


def check_p(text, value, code):
    if value == "" or value is None:
        assert text.startswith("–")
        return
    (printed,) = numbers_in(text, code)
    p = float(value)
    if p < 0.001:
        assert text.startswith("<")
        assert printed.value == Decimal("0.001")
    elif text.startswith(">"):
        assert p >= 0.9995
    else:
        assert printed.value == rounded(p, 3)
        assert printed.digits == 3


def check_interval(text, low, high, digits, code):
    if low in ("", None):
        assert text.startswith("–")
        return
    printed = numbers_in(text, code)
    shown = printed[0].digits
    assert [each.value for each in printed] == [rounded(low, shown), rounded(high, shown)]
    # More digits than the column's only where they show on which side of 0 an end lies, and no more than that takes.
    hidden = [end for end in (float(low), float(high)) if abs(end) > 5e-7 and rounded(end, max(shown - 1, digits)) == 0]
    assert shown == digits or hidden
    assert all(each.value != 0 or abs(end) <= 5e-7 for each, end in zip(printed, (float(low), float(high)), strict=True))


@pytest.fixture(scope="module")
def csv_rows(coffee):
    def rows(name):
        with (coffee.bundle / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return rows


def columns_of(name):
    from analyses.mi_distance import analysis
    from reportgen.documents import Assets
    from reportgen.documents.outline import read_spec

    return read_spec(Assets.of(analysis), analysis.templates).tables[name].columns


# What must stand in each column of the per-layer tables, whatever document.yaml says it takes the values from.
LAYER_FIELDS = {
    "attention_mean_mutual_information",
    "mlp_mean_mutual_information",
    "t_statistic",
    "attention_kendall_tau",
    "mlp_kendall_tau",
    "fisher_z",
    "fisher_z_fieller",
}


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("estimator", ["histogram", "nearest_neighbour"])
def test_every_cell_of_the_layer_tables(coffee_reports, csv_rows, words_of, estimator, code):
    name = f"layers_{estimator}"
    columns, printed = columns_of(name), table(coffee_reports[code], name)
    rows = [row for row in csv_rows("layers") if row["estimator"] == estimator]
    assert len(printed) == len(rows) == 30
    assert {column.field for column in columns} >= LAYER_FIELDS
    for cells, row in zip(printed, rows, strict=True):
        for cell, column in zip(cells, columns, strict=True):
            text, value = cell_text(cell, words_of), row[column.field]
            if column.format == "interval":
                check_interval(text, value, row[column.high], column.digits, code)
            elif column.format == "p":
                check_p(text, value, code)
            else:
                check_number(text, value, 0 if column.format == "integer" else column.digits, code)


# Decimals by kind of quantity, as in the text: differences in nats 3, slopes in nats per layer 4, taus and slopes of estimators 2.
DIGITS = {"mlp_level": 4, "mean_tau": 2, "tau_half": 2, "tau_difference": 2, "shift_slope": 2}


def verdict_rows(study, name):
    """What the tables of verdicts must show: one row a verdict, or one a part of the statements that have several."""
    if name == "verdicts":
        # What is concluded from stands first, and of a statement in several parts the part that decided is named.
        order = dict.fromkeys(("different_word", "none", "repeated_words", "centred", *(row["control"] for row in study["verdicts"])))
        rows = sorted(study["verdicts"], key=lambda row: list(order).index(row["control"]))
        return [{**row, "deciding": row["part"], "part": f"measure.{row['part']}" if len(row["parts"]) > 1 else None} for row in rows]
    several = [
        row
        for control in ("different_word", "none", "repeated_words", "centred")
        for row in study["verdicts"]
        if len(row["parts"]) > 1 and row["control"] == control
    ]
    return [{"estimator": row["estimator"], **part} for row in several for part in row["parts"]]


def digits_of(measure, row, study):
    """The measure's digits, and more where an end would else be written as a limit of the rule that it does not reach."""
    settings = study["settings"]["hypotheses"]
    margin = settings["same_tau_margin"]
    level = settings["level_change"] / max(len(study["bands"]["deep"]) - 1, 1)
    limits = {
        "tau_half": settings["tau_range"],
        "shift_slope": settings["shift_slope_range"],
        "tau_difference": (-margin, margin),
        "mlp_level": (-level, level),
    }.get(measure, ())
    ends = [end for end in (row["low"], row["high"]) if end is not None]
    digits = DIGITS.get(measure, 3)
    while digits < 6 and any(end != limit and rounded(end, digits) == rounded(limit, digits) for end in ends for limit in limits):
        digits += 1
    return digits


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize("name", ["verdicts", "parts"])
def test_every_row_of_the_verdict_tables(coffee, coffee_reports, languages, words_of, name, code):
    columns, language = columns_of(name), languages[code]
    printed = table(coffee_reports[code], name)
    for cells, row in zip(printed, verdict_rows(coffee.study, name), strict=True):
        for cell, column in zip(cells, columns, strict=True):
            text = cell_text(cell, words_of)
            if column.field in ("shown", "shown_interval"):
                digits = digits_of(row["measure"] if name == "parts" else row["deciding"], row, coffee.study)
                if row["low"] is None:
                    assert text.startswith("–")
                elif column.field == "shown":
                    (printed_number,) = numbers_in(text, code)
                    assert printed_number.is_written_from(row["estimate"])
                    assert printed_number.digits == digits or rounded(row["estimate"], digits) == 0
                else:
                    check_interval(text, row["low"], row["high"], digits, code)
                continue
            value = row[column.field]
            if column.format == "verdict":
                assert text.endswith(language.text(f"verdict.{value}"))
                assert f"verdict--{value}" in str(cell.html)
            elif value is None:
                assert text.startswith("–")
            elif column.format == "key":
                assert text == words_of(language.text(f"{column.prefix}{value}"))
            elif column.format == "interval":
                check_interval(text, value, row[column.high], column.digits, code)
            else:
                check_number(text, value, 0 if column.format == "integer" else column.digits, code)


P_VALUES = {
    "t": "t_p",
    "jackknife": "mi_difference_p",
    "fisher": "fisher_p",
    "fieller": "fisher_p_fieller",
    "tau_relabelling": "tau_difference_p",
}


def significant(data, test, estimator, correction="fdr_bh"):
    name = P_VALUES[test] + ("" if correction == "none" else f"_{correction}")
    return data[name].sel(estimator=estimator).values < 0.05


@pytest.mark.parametrize("code", ["vi", "en"])
def test_every_count_of_the_significance_table(coffee, coffee_reports, languages, words_of, code):
    columns, printed = columns_of("significance"), table(coffee_reports[code], "significance")
    counts = [column.field for column in columns if column.format == "integer"]
    assert counts == ["none", "bonferroni", "fdr_bh", "fdr_by"]
    expected = [(test, estimator) for test in P_VALUES for estimator in ("histogram", "corrected", "nearest_neighbour")]
    assert len(printed) == len(expected)
    for cells, (test, estimator) in zip(printed, expected, strict=True):
        texts = [cell_text(cell, words_of) for cell in cells]
        assert texts[0] == words_of(languages[code].text(f"test.{test}"))
        assert texts[1] == words_of(languages[code].text(f"estimator.{estimator}"))
        assert texts[2:] == [str(significant(coffee.data, test, estimator, correction).sum()) for correction in counts]


# Sentences


def thresholds(study):
    rules = study["settings"]["hypotheses"]
    return [0.95, 95, *rules["tau_range"], *rules["shift_slope_range"], rules["same_tau_margin"], -0.5]


def of_rows(rows):
    """What a sentence may say of verdict rows: estimates and intervals, turned round too, and layers that agree or do not."""
    found = []
    for row in rows:
        for part in row["parts"]:
            for value in (part["estimate"], part["low"], part["high"]):
                if value is not None:
                    found += [value, -value]
            if "before" in part:
                found += [part["margin"], *part["before"].values()]
            if part["layers"]:
                found += [part["agreeing_layers"], part["layers"] - part["agreeing_layers"], part["layers"]]
    return found


def ends_of(study):
    return [end for layers in study["bands"].values() for end in (layers[0], layers[-1])] + [1, study["layers"]]


def statement_pool(study, name):
    rows = [row for row in study["verdicts"] if row["name"] == name]
    verdicts = [part["verdict"] for row in study["conclusions"] if row["name"] == name for part in row["parts"]]
    counts = [len(verdicts), *(verdicts.count(verdict) for verdict in ("supported", "contradicted", "inconclusive", "not_testable"))]
    return of_rows(rows) + ends_of(study) + thresholds(study) + counts + [study["occurrences"]]


def assert_all_from(text, code, pool, where):
    for printed in numbers_in(text, code):
        assert any(printed.is_written_from(value) for value in pool), f"{where}: {printed.value} is not in the bundle\n{text}"


def front(report, css, code):
    return next(str(item.html[code]) for item in report.document.items() if getattr(item, "css", "") == css)


def sections_of(report):
    """Every section of the report, whatever it is part of, by its id."""
    found, waiting = {}, list(report.document.sections)
    while waiting:
        section = waiting.pop()
        found[section.id] = section
        waiting += section.sections
    return found


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_table_of_answers_holds_both_estimates_of_every_statement_and_part(coffee, coffee_reports, words_of, code):
    rows = iter(table(coffee_reports[code], "answers"))
    for conclusion in coffee.study["conclusions"]:
        whole = next(rows)
        several = len(conclusion["parts"]) > 1
        for part in conclusion["parts"]:
            cells = next(rows) if several else whole
            estimates = [cell_text(cell, words_of) for cell in cells[2:4]]
            for text, estimator in zip(estimates, ("histogram", "nearest_neighbour"), strict=True):
                judged = [
                    each
                    for row in coffee.study["verdicts"]
                    if (row["name"], row["control"], row["estimator"]) == (conclusion["name"], conclusion["control"], estimator)
                    for each in row["parts"]
                    if each["measure"] == part["measure"]
                ]
                if not judged:
                    assert numbers_in(text, code) == []
                    continue
                expected = [judged[0][name] for name in ("estimate", "low", "high")]
                printed = numbers_in(text, code)
                assert len(printed) == 3
                # An estimate may stand the other way round: what the data say is named beside it.
                assert all(
                    number.is_written_from(value) or number.is_written_from(-value)
                    for number, value in zip(printed[:1], expected[:1], strict=True)
                )
                assert all(any(number.is_written_from(sign * value) for value in expected for sign in (1, -1)) for number in printed)
    assert list(rows) == []


@pytest.mark.parametrize("code", ["vi", "en"])
def test_statement_verdicts_print_only_numbers_of_the_bundle(coffee, coffee_reports, words_of, code):
    section = sections_of(coffee_reports[code])["verdicts"]
    pool = [*range(len(coffee.study["conclusions"]) + 1), 48, 10]
    for row in coffee.study["conclusions"]:
        pool += statement_pool(coffee.study, row["name"])
    texts = [words_of(str(item.html[code]), NO_RESULTS) for item in section.items if item.kind == "text"]
    assert texts
    for text in texts:
        assert_all_from(text, code, pool, "verdicts")


@pytest.mark.parametrize("code", ["vi", "en"])
def test_abstract_prints_only_the_bundles_numbers(coffee, coffee_reports, words_of, code):
    study = coffee.study
    verdicts = [row["verdict"] for row in study["conclusions"]]
    pool = [study["layers"], study["occurrences"], study["pairs"], *(verdicts.count(verdict) for verdict in set(verdicts)), 0]
    for row in study["conclusions"]:
        pool += statement_pool(study, row["name"])
    pool_of_levels = [study["settings"]["alpha"], 0.5, *seldom_pool(coffee)]
    text = words_of(front(coffee_reports[code], "abstract", code), NO_RESULTS).replace("SmolLM2-135M-Instruct", "")
    assert numbers_in(text, code)
    assert_all_from(text, code, [*pool, *pool_of_levels], "abstract")


def seldom_pool(coffee):
    """How many ways of analysis give each decided verdict, of those by what it rests on, where less than half of them do."""
    pool = []
    given = coffee.data.specification_verdict.values.astype(str)
    control = coffee.data.specification_control.values.astype(str)
    for conclusion, verdicts in zip(coffee.study["conclusions"], given, strict=True):
        judged = verdicts[(verdicts != "not_applicable") & (control == conclusion["control"])]
        same = int((judged == conclusion["verdict"]).sum())
        few = conclusion["verdict"] in ("supported", "contradicted") and 2 * same < len(judged)
        pool += [same, len(judged)] if few else []
    return pool


@pytest.mark.parametrize("few", [True, False])
@pytest.mark.parametrize("code", ["vi", "en"])
def test_a_verdict_of_a_minority_of_the_ways_of_analysis_says_so(coffee, report_of, words_of, code, few):
    """In the abstract, in the table of answers, in the section and in the conclusion; and of no verdict that most ways give."""
    dataset = coffee.results.dataset.copy(deep=True)
    given = dataset.specification_verdict.values
    (place,) = [index for index, row in enumerate(coffee.study["conclusions"]) if row["name"] == "deep_layers"]
    conclusion = coffee.study["conclusions"][place]
    own = np.flatnonzero(dataset.specification_control.values.astype(str) == conclusion["control"])
    assert conclusion["verdict"] == "contradicted"
    for number, index in enumerate(own):
        given[place, index] = "contradicted" if number < 7 or not few else "inconclusive"
    report = report_of(replace(coffee.results, dataset=dataset), code)
    written = {"en": f"only 7 of {len(own)} ways", "vi": f"chỉ (?:có )?(?:trong )?7/{len(own)} phương án"}[code]
    found = sections_of(report)
    texts = [front(report, "abstract", code)]
    texts += [str(item.html[code]) for name in ("results-profile", "conclusion") for item in found[name].items if item.kind == "text"]
    cells = [str(cell.html) for row in table(report, "answers") for cell in row]
    said = [bool(re.search(written, words_of(text), re.IGNORECASE)) for text in [*texts, *cells]]
    assert sum(said) == (4 if few else 0), said


def result_pool(coffee):
    """Everything that the paragraphs of the results may count or average, worked out again."""
    data, study = coffee.data, coffee.study
    pool = [study["layers"], study["occurrences"], study["pairs"], study["detail_layer"], 80, 95, 5, *seldom_pool(coffee)]
    pool += [study["settings"]["alpha"], *thresholds(study), *ends_of(study), *of_rows(study["verdicts"])]
    deep = [layer - 1 for layer in study["bands"]["deep"]]
    for estimator in ("histogram", "nearest_neighbour"):
        here = data.sel(estimator=estimator)
        for test in P_VALUES:
            difference = here["mi_difference" if test in ("t", "jackknife") else "tau_difference"].values
            shown = significant(data, test, estimator)
            pool += [shown.sum(), (shown & (difference > 0)).sum(), (shown & (difference < 0)).sum()]
        for branch in ("attention", "mlp"):
            of_branch = here.sel(branch=branch)
            tau = of_branch.kendall_tau.values
            pool += [tau.min(), tau.max(), tau.mean(), (tau < 0).sum(), (of_branch.mantel_p.values < 0.05).sum()]
            same = of_branch.mean_mutual_information.values
            pool += [(of_branch.repeated_words_excess_low.values > 0).sum()]
            pool += [100 * of_branch.control_mean_mutual_information.values[deep].mean() / same[deep].mean()]
            pool += list(study["controls"]["repeated_words"]["word_minus_repeated_deep"][estimator][branch].values())
            pool += [(of_branch.word_specific_excess_low.values > 0).sum(), (of_branch.word_specific_excess_high.values < 0).sum()]
            pool += [same[deep].mean(), of_branch.control_mean_mutual_information.values[deep].mean()]
            pool += [of_branch.word_specific_excess.values[deep].mean()]
        detectable = here.minimal_detectable_difference.values
        pool += [detectable.min(), np.median(detectable), detectable.max()]
    means = data.mean_mutual_information
    for branch in ("attention", "mlp"):
        plug_in, corrected = (means.sel(branch=branch, estimator=name).values for name in ("histogram", "corrected"))
        pool += [100 * (1 - corrected / plug_in).mean()]
    pool += [value for row in study["estimator_agreement"].values() for value in row.values()]
    pool += [study["estimator_agreement"]["histogram"]["most_influential_layer"] + 1, predicted_slope(data)]
    return [float(value) for value in pool]


def predicted_slope(data):
    """Median slope of what nearest neighbours give Gaussian pairs, where the histogram gives the study's layer means."""
    known = {str(name): data.calibration_mean.sel(calibrated_estimator=name).values for name in ("histogram", "nearest_neighbour")}
    means = data.mean_mutual_information.sel(estimator="histogram").values.ravel()
    means = means[(means >= known["histogram"].min()) & (means <= known["histogram"].max())]
    return stats.theilslopes(np.interp(means, known["histogram"], known["nearest_neighbour"]), means)[0]


def robustness_pool(coffee):
    """What may be said of the other specifications, of Gaussian pairs and of simulated data sets."""
    data, alpha = coffee.data, coffee.study["settings"]["alpha"]
    error = data.calibration_mean - data.calibration_truth
    pool = [data.sizes["dimension"], *data.correlation.values, *data.calibration_truth.values, *error.values.ravel()]
    pool += [100 * data.simulated_variance_share.item(), *data.simulated_data_sets.values, coffee.study["occurrences"] - 1]
    pool += [100 * alpha * 0.6, 100 * alpha * 1.4, data.specification_log_distance_change.item()]
    for name in ("type_one_error", "type_one_error_low", "type_one_error_high"):
        pool += list(100 * data[name].values)
    choices = coffee.study["settings"]["robustness"]
    pool += [value for name in ("bins", "trim", "neighbours") for value in choices[name] if isinstance(value, int | float)]
    pool.append(data.sizes["specification"])
    ranges = [coffee.study["settings"]["hypotheses"][name] for name in ("tau_range", "shift_slope_range")]
    for verdicts, estimates in zip(data.specification_verdict.values, data.specification_estimate.values, strict=True):
        # The nearest-neighbour estimate is not held against itself.
        given = verdicts.astype(str)[verdicts.astype(str) != "not_applicable"]
        counts = np.unique(given, return_counts=True)[1]
        pool += [len(given), *counts, *(100 * counts / len(given)), np.nanmin(estimates), np.nanmax(estimates)]
        in_range = [np.sum((low <= estimates) & (estimates <= high)) for low, high in ranges]
        pool += [np.sum(estimates > 0), np.isfinite(estimates).sum(), *in_range]
        for control in np.unique(data.specification_control.values):
            pool += list(np.unique(verdicts.astype(str)[data.specification_control.values == control], return_counts=True)[1])
    return [float(value) for value in pool]


def depths(coffee):
    """The layers of each part of the depth, as places."""
    bands, layers = coffee.study["bands"], range(coffee.study["layers"])
    early, deep = ([layer - 1 for layer in bands[name]] for name in ("early", "deep"))
    return [early, [layer for layer in layers if layer not in (*early, *deep)], deep, list(layers)]


def linear_pool(coffee):
    """What may be said of the linear share, worked out again from the pairs' correlations; the limit of "nearly all" is 90 %."""
    data, nearest = coffee.data, coffee.data.mutual_information.sel(estimator="nearest_neighbour")
    linear = -np.log(1 - data.linear_correlation**2) / 2
    pool = [90, 100, linear.size, np.corrcoef(linear.values.ravel(), nearest.values.ravel())[0, 1] ** 2]
    touches = [
        (data.first_occurrence.values == each) | (data.second_occurrence.values == each) for each in range(coffee.study["occurrences"])
    ]
    for branch, layers in itertools.product(("attention", "mlp"), depths(coffee)):
        above, below = (values.sel(branch=branch).values[layers].mean(axis=0) for values in (linear, nearest))
        share = above.mean() / below.mean()
        without = np.array([above[~touched].mean() / below[~touched].mean() for touched in touches])
        half = 2.446911851144969 * np.sqrt(6 / 7 * ((without - without.mean()) ** 2).sum())
        pool += [100 * share, 100 * (share - half), 100 * (share + half)]
    return [float(value) for value in pool]


@pytest.mark.parametrize("code", ["vi", "en"])
@pytest.mark.parametrize(
    "section",
    [
        "results-profile",
        "results-tau",
        "results-separation",
        "results-estimators",
        "results-linear",
        "results-controls",
        "results-independence",
        "results-specification",
        "results-power",
    ],
)
def test_results_print_only_what_follows_from_the_bundle(coffee, coffee_reports, words_of, section, code):
    chosen = sections_of(coffee_reports[code])[section]
    pool = [*result_pool(coffee), *robustness_pool(coffee), *linear_pool(coffee), len(coffee.study["conclusions"][1]["parts"]), 0]
    # Of the intervals of two estimators and two branches in every layer, one in forty lies above zero by chance.
    pool += [2.5, 4 * coffee.study["layers"], 4 * coffee.study["layers"] / 40]
    for row in coffee.study["conclusions"]:
        pool += statement_pool(coffee.study, row["name"])
    for item in chosen.items:
        if item.kind == "text":
            assert_all_from(words_of(str(item.html[code]), NO_RESULTS), code, pool, section)


def test_a_wrong_number_would_be_found(coffee):
    """The pools are small enough to notice: a number that is off by a few in its last digit is not in the statement's pool."""
    for row in coffee.study["verdicts"]:
        if row["control"] == "none" and row["name"] == "early_layers":
            pool = statement_pool(coffee.study, row["name"])
            wrong = Printed(rounded(row["estimate"] + 0.3, 3), 3)
            assert not any(wrong.is_written_from(value) for value in pool)


def by_row(report, code, words_of):
    """Anchor of every row that can be led to -> the numbers that stand there."""
    return {
        anchor: [number for cell in row for number in numbers_in(cell_text(cell, words_of), code)]
        for item in report.document.items()
        if item.kind == "table" and item.grid.row_ids
        for anchor, row in zip(item.grid.row_ids, item.grid.rows, strict=True)
    }


@pytest.mark.parametrize("code", ["vi", "en"])
def test_a_number_that_leads_to_a_row_stands_in_it(coffee, coffee_reports, words_of, code):
    """Whoever follows a number finds it: as it is, or turned round; a count by both estimators in the rows of both."""
    rows = by_row(coffee_reports[code], code, words_of)
    sizes = {coffee.study["layers"], *map(len, coffee.study["bands"].values())}
    estimator = re.compile("histogram|nearest_neighbour")
    followed = set()
    for item in coffee_reports[code].document.items():
        links = re.findall(r'<a class="row" href="#([^"]+)">(.*?)</a>', str(item.html[code]), re.DOTALL) if item.kind == "text" else []
        for anchor, html in links:
            assert anchor in rows
            of_both = [number for other in rows if estimator.sub("", other) == estimator.sub("", anchor) for number in rows[other]]
            there = sizes | {abs(number.value) for number in of_both}
            told = numbers_in(words_of(html).replace("in none of the", "in 0 of the"), code)
            assert {abs(number.value) for number in told} <= there, (anchor, html)
            followed |= {anchor.split("-")[1]} if told else set()
    assert followed >= {"verdicts", "parts", "significance", "layers_histogram"}
    assert followed >= {"specifications", "detectable", "repeated", "untrained", "linear"}


# The bundle's own files


def test_csv_files_hold_the_datasets_numbers(coffee, csv_rows):
    for row in csv_rows("branches"):
        here = coffee.data.sel(estimator=row["estimator"], branch=row["branch"]).isel(layer=int(row["layer"]) - 1)
        for name in ("mean_mutual_information", "kendall_tau", "mantel_p", "word_specific_excess"):
            assert float(row[name]) == here[name].item()


def test_verdicts_csv_is_study_json(coffee, csv_rows):
    for row, verdict in zip(csv_rows("verdicts"), coffee.study["verdicts"], strict=True):
        assert row["verdict"] == verdict["verdict"]
        assert float(row["estimate"]) == verdict["estimate"]


@pytest.mark.parametrize("code", ["vi", "en"])
def test_the_line_in_the_estimators_figure_is_named_as_what_it_is(coffee, coffee_reports, words_of, code):
    """The median slope over all pairs of points (Theil 1950; Sen 1968), which is far from that of least squares here."""
    means = coffee.data.mean_mutual_information
    own, near = (means.sel(estimator=name).values.ravel() for name in ("histogram", "nearest_neighbour"))
    median, least_squares = stats.theilslopes(near, own)[0], np.polyfit(own, near, 1)[0]
    assert abs(median - least_squares) > 0.1
    (figure,) = [item for item in coffee_reports[code].document.items() if item.kind == "figure" and item.id == "estimator_comparison"]
    line = re.search({"vi": r"đường liền[^;.]*?\((.*?)\), ([\d,]+)", "en": r"the solid line[^;]*?\((.*?)\), ([\d.]+)"}[code],
                     words_of(str(figure.caption[code])))  # fmt: skip
    assert line[1] == "Theil–Sen"
    assert numbers_in(line[2].rstrip("."), code)[0].is_written_from(median)
