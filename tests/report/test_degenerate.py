"""Vectors that leave little or nothing to test, each all the way to a page in both languages: a reason, and nowhere a NaN."""

import csv
import html
import json
import re

import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

from reportgen.cli import app

POSITION = np.array([2, 5, 11, 20, 32])
DIMENSIONS, LAYERS = 40, 3
# A word of its own, or a cell: "information" and "nano" hold some of these letters, "inf" as SVG's number must not.
NO_NUMBER = re.compile(r"(?<![\w-])-?(?:nan|inf|infinity|none|null|undefined)(?![\w-])", re.IGNORECASE)


def vectors(generator, *, layers=LAYERS, occurrences=5, dimensions=DIMENSIONS):
    common = generator.normal(size=(2, layers, 1, dimensions))
    return (common + generator.normal(size=(2, layers, occurrences, dimensions))).astype(np.float32)


def constant_vectors(generator):
    return {"activation": np.ones((2, LAYERS, 5, DIMENSIONS), dtype=np.float32)}


def one_branch_constant(generator):
    activation = vectors(generator)
    activation[1] = 3
    return {"activation": activation}


def one_vector_constant(generator):
    activation = vectors(generator)
    activation[:, :, 2] = 0.5
    return {"activation": activation}


def all_zero_but_one_dimension(generator):
    activation = np.zeros((2, LAYERS, 5, DIMENSIONS), dtype=np.float32)
    activation[..., 0] = 1
    return {"activation": activation}


def identical_branches(generator):
    activation = vectors(generator)
    activation[1] = activation[0]
    return {"activation": activation}


def identical_occurrences(generator):
    activation = vectors(generator)
    activation[:] = activation[:, :, :1]
    return {"activation": activation}


def identical_everything(generator):
    return {"activation": np.broadcast_to(generator.normal(size=DIMENSIONS), (2, LAYERS, 5, DIMENSIONS)).astype(np.float32)}


def fewer_dimensions_than_neighbours(generator):
    """The study asks for ten."""
    return {"activation": vectors(generator, dimensions=9)}


def three_dimensions(generator):
    return {"activation": vectors(generator, dimensions=3)}


def one_dimension(generator):
    return {"activation": vectors(generator, dimensions=1)}


def two_dimensions(generator):
    return {"activation": vectors(generator, dimensions=2)}


def equal_distances(generator):
    """Two occurrences have one distance, three at equal steps two: three is as equal as more than one pair can be."""
    return {"activation": vectors(generator, occurrences=3), "token_position": np.array([4, 8, 12])}


def equal_steps(generator):
    return {"activation": vectors(generator), "token_position": np.arange(5)}


def one_layer(generator):
    return {"activation": vectors(generator, layers=1)}


def two_layers(generator):
    return {"activation": vectors(generator, layers=2)}


def one_pair(generator):
    return {"activation": vectors(generator, occurrences=2), "token_position": np.array([3, 9])}


def one_pair_in_one_layer(generator):
    return {"activation": vectors(generator, layers=1, occurrences=2), "token_position": np.array([3, 9])}


def three_pairs(generator):
    return {"activation": vectors(generator, occurrences=3), "token_position": np.array([3, 9, 25])}


def two_values_only(generator):
    return {"activation": (vectors(generator) > 0).astype(np.float32)}


def two_kinds_of_values(generator):
    """Every pair has the same mutual information in each branch: each vector is one of a pattern and its mirror."""
    pattern = np.repeat([-1.0, 1.0], DIMENSIONS // 2)
    signs = np.array([1, -1, 1, -1, 1])[:, None]
    return {"activation": np.broadcast_to(signs * pattern, (2, LAYERS, 5, DIMENSIONS)).astype(np.float32)}


def huge_values(generator):
    return {"activation": vectors(generator).astype(np.float64) * 1e300}


def tiny_values(generator):
    return {"activation": vectors(generator).astype(np.float64) * 1e-310}


def constant_controls(generator):
    return {
        "activation": vectors(generator),
        "control_activation": np.ones((2, LAYERS, 12, DIMENSIONS), dtype=np.float32),
        "control_token_position": np.arange(40, 52),
        "control_token_word": np.array([f"word{index}" for index in range(12)]),
        "untrained_activation": np.ones((2, LAYERS, 5, DIMENSIONS), dtype=np.float32),
    }


def controls_equal_to_the_word(generator):
    activation = vectors(generator)
    return {
        "activation": activation,
        "control_activation": np.repeat(activation[:, :, :1], 12, axis=2),
        "control_token_position": np.arange(40, 52),
        "control_token_word": np.array([f"word{index % 6}" for index in range(12)]),
    }


def too_few_controls(generator):
    return {
        "activation": vectors(generator),
        "control_activation": vectors(generator, occurrences=2),
        "control_token_position": np.array([50, 51]),
        "control_token_word": np.array(["one", "two"]),
    }


# What is refused in one line, what leaves every statement untestable, and what leaves some testable.
REFUSED = {
    "there is nothing to study": (constant_vectors, one_branch_constant, one_vector_constant, identical_occurrences, identical_everything),
    "estimation.neighbours: 10 neighbours take vectors of more than 10 dimensions; these have 9": (fewer_dimensions_than_neighbours,),
    "expected at least 8": (one_dimension, two_dimensions, three_dimensions),
}
UNTESTABLE = (one_pair, one_pair_in_one_layer, three_pairs, equal_distances)
SOME = (
    *(two_kinds_of_values,),
    *(identical_branches, two_values_only, equal_steps, one_layer, two_layers),
    *(huge_values, tiny_values),
    *(constant_controls, controls_equal_to_the_word, too_few_controls),
)


def call(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="reportgen")


def without_a_number(folder):
    """Places in the files of a folder that say NaN, inf or None."""
    found = []
    for file in sorted(folder.rglob("*")):
        if file.suffix == ".nc":
            data = xarray.load_dataset(file, engine="scipy")
            found += [f"{file.name}: {name}" for name, value in data.variables.items() if value.dtype.kind == "f" and np.isinf(value).any()]
        elif file.suffix == ".csv":
            with file.open(encoding="utf-8", newline="") as lines:
                # A setting may be called none, as that of no control and of no trimming.
                cells = [(key, cell) for row in csv.DictReader(lines) for key, cell in row.items() if key not in ("control", "trim")]
            found += [f"{file.name}: {key} {cell}" for key, cell in cells if NO_NUMBER.fullmatch(cell or "")]
        elif file.suffix == ".json":
            constants: list[str] = []
            json.loads(file.read_text(encoding="utf-8"), parse_constant=constants.append)
            found += [f"{file.name}: {constant}" for constant in constants]
        elif file.suffix in (".html", ".svg"):
            text = html.unescape(re.sub(r"<(style|script)\b.*?</\1>", " ", file.read_text(encoding="utf-8"), flags=re.DOTALL))
            prose = re.sub(r"<[^>]*>", " ", text)
            found += [
                f"{file.name}: {prose[max(each.start() - 40, 0) : each.end() + 40]!r}"
                for each in re.finditer(r"\b(?:NaN|nan|inf|None)\b", prose)
            ]
            drawn = re.findall(r' (?:d|x|y|width|height|points|transform|cx|cy|r)="([^"]*)"', text)
            found += [f"{file.name}: {value[:60]}" for value in drawn if re.search(r"\b(?:nan|inf)\b", value, re.IGNORECASE)]
    return found


def analyzed(make, folder):
    arrays = {"token_position": POSITION} | make(np.random.default_rng(3))
    np.savez(folder / "vectors.npz", **arrays)
    neighbours = 10 if make is fewer_dimensions_than_neighbours else 3
    study = folder / "study.yaml"
    study.write_text(
        f"name: degenerate\nword: tea\nactivations_file: vectors.npz\npermutations: 99\nestimation: {{neighbours: {neighbours}}}\n"
        f"robustness: {{bins: [8, fd], trim: [null, 4.0], neighbours: [{neighbours}], simulations: 100}}\n"
    )
    return call("analyze", study, "--out", folder / "out", "--no-cache", "--quiet")


@pytest.mark.parametrize(("said", "make"), [(said, make) for said, makes in REFUSED.items() for make in makes])
def test_nothing_to_study_is_one_line(said, make, tmp_path):
    done = analyzed(make, tmp_path)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr
    assert not list((tmp_path / "out").rglob("*"))


# What is said of a study with too few occurrences; of another, whose values do not vary, it would be a false reason.
TOO_FEW = ("occurrences allow no", "occurrences the", "occurrences tau is", "Too few occurrences", "so few occurrences")
TOO_FEW_VI = (
    "lần xuất hiện thì không tính được",
    "lần xuất hiện thì không kiểm định",
    "lần xuất hiện, không lập được",
    "lần xuất hiện, sự khác biệt",
    "Số lần xuất hiện quá ít",
)


@pytest.mark.parametrize("make", [*UNTESTABLE, *SOME], ids=lambda make: make.__name__)
def test_a_reason_and_no_nan_anywhere(make, tmp_path):
    done = analyzed(make, tmp_path)
    assert done.exit_code == 0, done.output
    bundle = tmp_path / "out" / "bundle"
    done = call("render", bundle, "--out", tmp_path / "page", "--lang", "vi-en", "--format", "html", "--no-cache", "--quiet")
    assert done.exit_code == 0, done.output
    assert without_a_number(tmp_path) == []
    said = {row["verdict"] for row in json.loads((bundle / "study.json").read_text())["conclusions"]}
    if make in UNTESTABLE:
        assert said == {"not_testable"}
    else:
        page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
        assert [words for words in (*TOO_FEW, *TOO_FEW_VI) if words in page] == []
    if "not_testable" in said:
        page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8").lower()
        assert "cannot be tested" in page
        assert "không kiểm định được" in page


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-310])
def test_the_unit_of_a_vector_moves_no_estimate(scale):
    """A power of two near `scale`: mutual information does not know of units, and no digit is lost."""
    from analyses.mutual_information import mutual_information

    x, y = np.random.default_rng(5).integers(-1000, 1000, size=(2, 400)).astype(float)
    factor = 2.0 ** round(np.log2(scale))
    for estimator in ("histogram", "corrected", "nearest_neighbour"):
        np.testing.assert_allclose(
            mutual_information(x * factor, y + x, estimator=estimator), mutual_information(x, y + x, estimator=estimator), atol=1e-9
        )
