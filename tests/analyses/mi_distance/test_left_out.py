"""One layer that says nothing must not decide for the others: it is left out and named."""

from dataclasses import replace

import numpy as np
import pytest

from analyses.errors import InputError
from analyses.occurrences.capture import read_input
from analyses.occurrences.left_out import without_silent_layers
from analyses.progress import SilentProgress


def spoiled(found, layer: int, branch: int, how: str):
    activation = found.activation.copy()
    if how == "zero":
        activation[branch, layer] = 0
    elif how == "one vector is flat":
        activation[branch, layer, 2] = 3.5
    else:
        activation[branch, layer] = activation[branch, layer, :1]
    return replace(found, activation=activation)


@pytest.mark.parametrize("how", ["zero", "one vector is flat", "one vector for all"])
@pytest.mark.parametrize("branch", [0, 1])
def test_a_layer_that_says_nothing_is_left_out_and_named(make_input, how, branch, caplog):
    found = make_input(occurrences=5, layers=6)
    kept = [0, 1, 2, 4, 5]
    result = without_silent_layers(spoiled(found, 3, branch, how))
    np.testing.assert_array_equal(result.activation, found.activation[:, kept])
    np.testing.assert_array_equal(result.control_activation, found.control_activation[:, kept])
    np.testing.assert_array_equal(result.untrained_activation, found.untrained_activation[..., kept, :, :])
    name = ("attention", "mlp")[branch]
    assert result.provenance["model"]["layer_numbers"] == [1, 2, 3, 5, 6]
    assert result.provenance["model"]["layers_left_out"] == [{"layer": 4, "reason": "constant", "branch": name}]
    assert [record.getMessage() for record in caplog.records] == ["left out: layer 4, for the output of a branch is constant"]


def test_where_every_layer_says_something_nothing_changes(make_input):
    found = make_input(occurrences=5, layers=6)
    assert without_silent_layers(found) is found


def test_layers_keep_the_models_numbers(make_input):
    found = make_input(occurrences=5, layers=3)
    model = {"layers_of_model": 12, "layer_numbers": [4, 8, 12]}
    result = without_silent_layers(replace(spoiled(found, 1, 0, "zero"), provenance={"model": model}))
    assert result.provenance["model"]["layer_numbers"] == [4, 12]
    left = result.provenance["model"]["layers_left_out"]
    assert [each["layer"] for each in left] == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert left[6] == {"layer": 8, "reason": "constant", "branch": "attention"}
    # Read again, as a bundle's vectors are, nothing is left out a second time.
    again = without_silent_layers(result)
    assert again.provenance == result.provenance


def test_no_layer_left(make_input):
    found = make_input(occurrences=5, layers=2)
    with pytest.raises(InputError, match="in every layer a branch gives the same values"):
        without_silent_layers(replace(found, activation=np.zeros_like(found.activation)))


def test_a_file_of_vectors_with_a_dead_layer(make_input, small_settings, tmp_path):
    found = spoiled(make_input(occurrences=5, layers=4), 0, 1, "zero")
    np.savez(tmp_path / "vectors.npz", activation=found.activation, token_position=found.token_position)
    settings = small_settings.model_copy(update={"activations_file": str(tmp_path / "vectors.npz")})
    result = read_input(settings, SilentProgress())
    assert result.activation.shape[1] == 3
    assert result.provenance["model"]["layer_numbers"] == [2, 3, 4]


def test_vectors_from_a_bundle_keep_the_layers_numbers(make_input, tmp_path):
    from analyses.occurrences.vectors import from_file

    result = without_silent_layers(spoiled(make_input(occurrences=5, layers=4), 1, 0, "zero"))
    result.to_dataset().to_netcdf(tmp_path / "activations.nc", engine="scipy")
    again = without_silent_layers(from_file(tmp_path / "activations.nc", "coffee"))
    assert again.provenance["model"]["layer_numbers"] == [1, 3, 4]
    np.savez(tmp_path / "wrong.npz", activation=result.activation, token_position=result.token_position, layer_number=[1, 3])
    with pytest.raises(InputError, match="layer_number must be one whole number a layer"):
        from_file(tmp_path / "wrong.npz", "coffee")
