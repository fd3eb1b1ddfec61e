"""Land-cover classes to the representative clutter heights of ITU-R P.1812."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from coverage.own_table import read_own_table
from data.errors import InputError
from data.grid import Raster

TABLE = Path(__file__).parent / "tables" / "clutter_heights.csv"


def read_clutter_table(path: Path = TABLE) -> pd.DataFrame:
    """Read the table of clutter classes.

    Parameters
    ----------
    path
        CSV file with the columns code, name, category, height_m, source.

    Returns
    -------
    pandas.DataFrame
        Indexed by class code.

    Raises
    ------
    InputError
        If a column is missing, a code is repeated or a height is not from 0 to 200 m.
    """
    frame = read_own_table(path, ("code", "name", "category", "height_m", "source"))
    code = pd.to_numeric(frame["code"], errors="coerce")
    height = pd.to_numeric(frame["height_m"], errors="coerce")
    good = code.between(0, 255) & (code % 1 == 0) & ~code.duplicated() & height.between(0.0, 200.0)
    if not good.all():
        row = frame.index[~good][0]
        raise InputError(
            "{file}, row {row}: class {code} with height {height} m (expected each code from 0 to "
            "255 once, with a height from 0 to 200 m)",
            file=path.name,
            row=int(row),
            code=frame["code"][row] or "nothing",
            height=frame["height_m"][row] or "nothing",
        )
    return frame.assign(code=code.astype(np.int64), height_m=height.astype(float)).set_index("code")


@cache
def _built_in() -> pd.DataFrame:
    return read_clutter_table()


def clutter_table(own_table: Path | None = None) -> pd.DataFrame:
    """Return the table of clutter classes.

    Parameters
    ----------
    own_table
        A user's file in the form of the built-in one, read if it exists; its
        classes win.

    Returns
    -------
    pandas.DataFrame
        Indexed by class code, in rising order.
    """
    if own_table is None or not own_table.exists():
        return _built_in()
    own = read_clutter_table(own_table)
    rest = _built_in().drop(index=own.index, errors="ignore")
    return pd.concat([own, rest]).sort_index()


def clutter_height(classes: Raster, table: pd.DataFrame | None = None) -> Raster:
    """Return the representative clutter height of each pixel of a class raster.

    Parameters
    ----------
    classes
        Class codes; NaN and unknown codes raise no height (0 m) only if they
        are 0 or NaN (no data).
    table
        Classes as `read_clutter_table` returns them; the built-in ones if None.

    Returns
    -------
    Raster
        Height R of ITU-R P.1812, section 3.2. [m]

    Raises
    ------
    InputError
        If a class is not in the table.
    """
    rows = clutter_table() if table is None else table
    codes = np.nan_to_num(classes.values, nan=0.0)
    whole = codes.astype(np.int64)
    if codes.size and (codes.min() < 0 or codes.max() > 255 or np.any(whole != codes)):
        raise InputError("The clutter raster holds values that are not class codes from 0 to 255")
    heights = np.full(256, np.nan, np.float32)
    heights[rows.index.to_numpy(np.int64)] = rows["height_m"].to_numpy(np.float32)
    values = heights[whole]
    if np.isnan(values).any():
        unknown = int(whole[np.isnan(values)][0])
        raise InputError(
            "The clutter raster holds class {code}, which is not in the table of clutter heights "
            "(known classes: {expected})",
            code=unknown,
            expected=", ".join(str(code) for code in rows.index),
        )
    return Raster(classes.grid, values)
