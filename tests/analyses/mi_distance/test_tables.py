import numpy as np
import pandas as pd
import pytest

from analyses.mi_distance.tables import tables


@pytest.fixture(scope="module")
def found(results):
    return tables(results)


def test_layers_table_holds_the_datasets_values(found, results):
    rows = found["layers"]
    data = results.dataset
    assert len(rows) == 3 * 6
    for row in rows.to_dict("records"):
        here = data.sel(estimator=row["estimator"]).isel(layer=row["layer"] - 1)
        for name in ("t_statistic", "t_p_fdr_bh", "fisher_z", "fisher_z_fieller", "mi_difference_low", "mi_difference_p_fdr_bh"):
            assert row[name] == here[name].item()
        for branch in ("attention", "mlp"):
            for name in ("mean_mutual_information", "kendall_tau", "kendall_p", "mantel_p"):
                assert row[f"{branch}_{name}"] == here[name].sel(branch=branch).item()


def test_branches_and_pairs_are_tidy(found, results):
    data = results.dataset
    assert len(found["branches"]) == 3 * 2 * 6
    pairs = found["pairs"]
    assert len(pairs) == 3 * 2 * 6 * 21
    row = pairs.sample(random_state=1).to_dict("records")[0]
    here = data.sel(estimator=row["estimator"], branch=row["branch"]).isel(layer=row["layer"] - 1, pair=row["pair"] - 1)
    assert row["mutual_information"] == here.mutual_information.item()
    assert (row["first_occurrence"], row["second_occurrence"]) == (here.first_occurrence.item() + 1, here.second_occurrence.item() + 1)
    assert row["token_distance"] == here.token_distance.item()
    keys = ["estimator", "branch", "layer", "pair"]
    assert not pairs.duplicated(keys).any()


@pytest.mark.parametrize("name", ["layers", "branches", "pairs"])
def test_layers_and_occurrences_are_numbered_from_one(found, name):
    assert set(found[name]["layer"]) == set(range(1, 7))
    if name == "pairs":
        assert found[name]["first_occurrence"].min() == 1
        assert found[name]["second_occurrence"].max() == 7


def test_verdicts_table_is_study_json(found, results):
    rows = found["verdicts"].astype(object).where(found["verdicts"].notna(), None).to_dict("records")
    for row, verdict in zip(rows, results.study["verdicts"], strict=True):
        assert {name: row[name] for name in row} == {name: verdict[name] for name in row}


def test_every_part_of_every_verdict_has_a_row(found, results):
    parts = found["verdict_parts"]
    assert len(parts) == sum(len(row["parts"]) for row in results.study["verdicts"])
    deep = parts[(parts["name"] == "deep_layers") & (parts["estimator"] == "histogram") & (parts["control"] == "none")]
    assert deep["measure"].tolist() == ["deep_difference", "attention_rise", "mlp_fall", "mlp_level"]
    level = parts[parts["measure"] == "mlp_level"]
    assert level["before_estimate"].notna().all()
    assert parts[parts["measure"] != "mlp_level"]["before_estimate"].isna().all()


def test_every_cell_is_a_number_a_word_or_empty(results_of):
    """No mapping or list: a spreadsheet would show Python's own way of writing it, None included."""
    for name, table in tables(results_of(occurrences=3, layers=6)).items():
        for column in table:
            kinds = {type(value) for value in table[column].dropna()}
            assert not kinds & {dict, list, tuple}, (name, column)


@pytest.mark.parametrize("occurrences", [2, 3])
def test_untestable_cells_are_empty_not_zero(results_of, occurrences):
    rows = tables(results_of(occurrences=occurrences, layers=6))["layers"]
    assert rows["mi_difference_low"].isna().all()
    assert np.isfinite(rows["mi_difference"]).all()
    assert isinstance(rows, pd.DataFrame)
