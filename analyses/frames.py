"""Variables of a bundle as tidy tables: one row an entry, layers numbered from 1 as people read them."""

from collections.abc import Sequence
from typing import Any

import pandas
import xarray as xr


def tidy(dataset: xr.Dataset, names: Sequence[str], **selection: Any) -> pandas.DataFrame:
    """The named variables as one row an entry, layers numbered from 1, without coordinates that the variables do not have."""
    chosen = dataset[list(names)].sel(**selection)
    dims = [str(dim) for name in names for dim in chosen[name].dims]
    frame = chosen.to_dataframe(dim_order=list(dict.fromkeys(dims)) or None).reset_index()
    if "layer" in frame:
        frame["layer"] += 1
    return frame[[*dict.fromkeys(dims), *names]]


def select(frame: pandas.DataFrame, **values: Any) -> pandas.DataFrame:
    """The rows in which each column has the given value."""
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def over(dataset: xr.Dataset, dimensions: tuple[str, ...]) -> pandas.DataFrame:
    """All variables over exactly these dimensions as columns, one row a combination, `layer` numbered from 1."""
    names = [str(name) for name, variable in dataset.data_vars.items() if set(variable.dims) == set(dimensions)]
    frame = dataset[names].to_dataframe(dim_order=list(dimensions))[names].reset_index()
    frame["layer"] = frame["layer"] + 1
    return frame
