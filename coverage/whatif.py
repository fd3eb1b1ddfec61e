"""A network that can be changed, with its coverage following at once.

Adding, moving, turning or removing one mast recomputes only that mast's losses,
the pixels that it served and the sums of the part of the area it reaches. The
outcome equals a computation from scratch: levels bit for bit, shares to the
rounding of sums.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from coverage import composite, percentages, results, run, validity
from coverage.kernels import cells as kernels
from coverage.mast import (
    CELL_COLUMNS,
    Levels,
    MastJob,
    carriers,
    cell_levels,
    levels_at,
    mast_jobs,
)
from coverage.request import (
    ON_AIR,
    CoverageRequest,
    Plan,
    asked_cells,
    cells_of,
    figure_table,
    make_plan,
    masts_on_air,
    people_per_pixel,
    predictable_cells,
    services,
    sigma_by_cell,
    surroundings,
)
from data.errors import InputError
from data.store import Workspace

_Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """What a change of the network came to.

    Parameters
    ----------
    removed, added
        Masts whose prediction went and came; a moved or turned mast is in both.
    """

    removed: tuple[str, ...]
    added: tuple[str, ...]


class _Points(NamedTuple):
    """Levels of a mast at single pixels of the area."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    carriers: NDArray[np.int64]
    level_dbm: NDArray[np.float32]
    cell: NDArray[np.int32]


class LiveNetwork:
    """Coverage of a study area that follows changes of its masts and cells.

    Parameters
    ----------
    workspace
        The study area; it is not changed.
    request
        What to compute; the defaults if None. The area must fit into memory.
    threads
        Masts computed at once; all processors if None.
    on_progress
        Called with the finished share of the first computation.
    also
        Cells that may come later, as in the layer `cells`: operators and frequencies that
        no cell uses yet. They are not part of the network.

    Attributes
    ----------
    masts, cells
        The network as it is now.
    """

    def __init__(
        self,
        workspace: Workspace,
        request: CoverageRequest | None = None,
        *,
        threads: int | None = None,
        on_progress: Callable[[float], None] = lambda _: None,
        also: pd.DataFrame | None = None,
    ) -> None:
        self._plan = make_plan(workspace, request or CoverageRequest())
        if also is not None:
            self._plan = _with_carriers_of(self._plan, cells_of(workspace), also)
        validity.require_some(self._plan.model, asked_cells(self._plan))
        self._threads = threads or run.default_threads()
        self._zones = workspace.read("zones")
        self._villages = workspace.read("villages") if workspace.has("villages") else None
        self._people = people_per_pixel(workspace, self._plan.grid)
        self._weights = percentages.zone_weights(self._zones, self._plan.grid)
        self._around = surroundings(self._plan, self._plan.grid)
        self._losses = run.losses_of(self._plan, self._around, run.loss_cache(workspace))
        self.masts = masts_on_air(workspace)
        self.cells = cells_of(workspace)
        # Cells keep their number for good: changed ones are appended as new.
        self._all_cells = self.cells
        self._jobs = self._jobs_of(self.masts, self.cells, first_number=0)
        self._signatures = _signatures(self.masts, self.cells)
        self._levels = composite.compose(
            self._around.elevation,
            self._around.clutter_height,
            self.masts,
            predictable_cells(self._plan, self.cells),
            self._plan.grid,
            wanted=self._plan.carriers,
            settings=self._plan.settings,
            own_patterns=self._plan.own.patterns,
            losses=self._losses,
            threads=self._threads,
            on_progress=on_progress,
        )
        self._tallies = self._tally(
            self._levels,
            (0, 0, *self._plan.grid.shape),
            (*self._plan.operators, results.ANY_OPERATOR),
        )

    def _jobs_of(
        self, masts: gpd.GeoDataFrame, cells: pd.DataFrame, first_number: int
    ) -> dict[str, MastJob]:
        jobs, _ = mast_jobs(
            self._around.elevation,
            masts,
            predictable_cells(self._plan, cells),
            self._plan.carriers,
            self._plan.own.patterns,
        )
        return {
            job.mast_id: dataclasses.replace(
                job, cell_numbers=job.cell_numbers + np.int32(first_number)
            )
            for job in jobs
        }

    @property
    def levels(self) -> composite.Composite:
        """Levels as they are now; cell numbers refer to an internal table."""
        return self._levels

    def covered(self) -> dict[tuple[str, str], NDArray[np.bool_]]:
        """Return where services are received as they are now.

        Returns
        -------
        dict
            (service, operator) -> whether the pixel counts as covered; keys and pixels
            are those of `figures`.
        """
        sigma = sigma_by_cell(self._plan, self._all_cells)
        found = services(self._plan, self._levels, sigma)
        return {key: where.covered for key, where in found.items()}

    def figures(self) -> pd.DataFrame:
        """Return the figures as they are now.

        Returns
        -------
        pandas.DataFrame
            The table of `results.CoverageResult`.
        """
        return figure_table(self._zones, self._tallies, self._plan.grid.resolution_m)

    def change(self, masts: gpd.GeoDataFrame, cells: pd.DataFrame) -> Change:
        """Put another network in place of the present one.

        Parameters
        ----------
        masts, cells
            All masts and cells, changed as wished.

        Returns
        -------
        Change
            Which masts had to be recomputed.

        Raises
        ------
        InputError
            If a cell uses an operator, technology or frequency that no cell
            used at the start.
        """
        masts = masts[masts["status"].isin(ON_AIR)]
        cells = cells.reset_index(drop=True)
        self._check_carriers(cells)
        before, after = self._signatures, _signatures(masts, cells)
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        removed = [name for name in self._jobs if name in changed]
        fresh: dict[str, MastJob] = {}
        if changed:
            come = cells[cells["mast_id"].isin(changed)].reset_index(drop=True)
            fresh = self._jobs_of(
                masts[masts["mast_id"].isin(changed)], come, first_number=len(self._all_cells)
            )
            self._all_cells = pd.concat([self._all_cells, come], ignore_index=True)
        if removed or fresh:
            gone = [self._jobs.pop(name) for name in removed]
            self._apply(gone, list(fresh.values()))
            self._jobs |= fresh
        self._signatures = after
        self.masts, self.cells = masts, cells
        return Change(tuple(removed), tuple(fresh))

    def _check_carriers(self, cells: pd.DataFrame) -> None:
        asked = [
            carrier
            for carrier in carriers(cells)
            if carrier.technology in self._plan.thresholds
            and carrier.operator in self._plan.operators
        ]
        for carrier in asked:
            if carrier not in self._plan.carriers:
                raise InputError(
                    "No cell of {operator} used {technology} on {frequency} MHz when the network "
                    "was loaded; compute the coverage anew to add it",
                    operator=carrier.operator,
                    technology=carrier.technology,
                    frequency=f"{carrier.frequency_mhz:g}",
                )

    def _levels_of(self, job: MastJob) -> Levels:
        return cell_levels(
            job, self._losses(job), self._around.elevation, self._plan.settings.rx_height_m
        )

    def _apply(self, gone: list[MastJob], come: list[MastJob]) -> None:
        with ThreadPoolExecutor(self._threads) as pool:
            old = list(pool.map(self._levels_of, gone))
            new = list(pool.map(self._levels_of, come))
            # Wide enough for the fading of the neighbours of all that can change.
            margin = percentages.fading_reach_pixels(self._plan.grid.resolution_m)
            window = _bounding_window(self._levels, [*old, *new], margin)
            before = self._levels.part(*window).copy()
            self._remove(gone, old, pool)
        for item in new:
            composite.merge(item, self._levels)
            composite.add_power(item, self._levels)
        after = self._levels.part(*window)
        changed = np.logical_or.reduce(before.best_dbm != after.best_dbm)
        if not changed.any():
            return
        operators = {
            self._plan.carriers[k].operator for item in (*old, *new) for k in item.carriers
        }
        named = (*sorted(operators), results.ANY_OPERATOR)
        inner = _window_of(changed, margin)
        place = (window[0] + inner[0], window[1] + inner[1], *inner[2:])
        without = self._tally(before.part(*inner), place, named)
        for key, tally in self._tally(after.part(*inner), place, named).items():
            self._tallies[key] = self._tallies[key] + tally - without[key]

    def _remove(self, gone: list[MastJob], old: list[Levels], pool: ThreadPoolExecutor) -> None:
        """Take masts out: forget what they served, and ask the others about those pixels."""
        for item in old:
            composite.add_power(item, self._levels, -1.0)
        lost = np.zeros(len(self._all_cells) + 1, bool)
        for job in gone:
            lost[job.cell_numbers] = True
        affected = sorted({int(k) for item in old for k in item.carriers})
        dirty = np.zeros(self._levels.best_cell.shape, bool)
        for carrier in affected:
            # A pixel whose second best went is asked about anew too.
            dirty[carrier] = (
                lost[self._levels.best_cell[carrier]] | lost[self._levels.second_cell[carrier]]
            )
            self._levels.best_dbm[carrier][dirty[carrier]] = -np.inf
            self._levels.best_cell[carrier][dirty[carrier]] = -1
            self._levels.second_dbm[carrier][dirty[carrier]] = -np.inf
            self._levels.second_cell[carrier][dirty[carrier]] = -1
        anywhere: NDArray[np.bool_] = np.logical_or.reduce(dirty)
        if not anywhere.any():
            return
        candidates = [job for job in self._jobs.values() if np.isin(job.carrier, affected).any()]
        grid = self._plan.grid
        top, left, height, width = _window_of(anywhere, 0)
        x_min, y_min, x_max, y_max = grid.window(top, left, height, width).bounds
        reach = self._plan.settings.radius_m

        def ask(job: MastJob) -> _Points | None:
            if not (
                x_min - reach <= job.x_m <= x_max + reach
                and y_min - reach <= job.y_m <= y_max + reach
            ):
                return None
            losses = self._losses(job)
            top, left = composite.place_in(grid, losses.grid)
            rows, columns = losses.grid.shape
            row, column = np.nonzero(anywhere[top : top + rows, left : left + columns])
            if len(row) == 0:
                return None
            used, level, cell, _ = levels_at(
                job,
                np.ascontiguousarray(losses.packed[:, row, column][:, None, :]),
                losses.grid.x_centres()[column][None],
                losses.grid.y_centres()[row][None],
                self._around.elevation,
                self._plan.settings.rx_height_m,
            )
            return _Points(row + top, column + left, used, level[:, 0], cell[:, 0])

        for found in pool.map(ask, candidates):
            if found is None:
                continue
            for index, carrier in enumerate(found.carriers):
                kernels.merge_points(
                    found.level_dbm[index],
                    found.cell[index],
                    found.row,
                    found.column,
                    dirty[carrier],
                    self._levels.best_dbm[carrier],
                    self._levels.best_cell[carrier],
                    self._levels.second_dbm[carrier],
                    self._levels.second_cell[carrier],
                )

    def _tally(
        self,
        levels: composite.Composite,
        window: tuple[int, int, int, int],
        operators: Iterable[str],
    ) -> dict[_Key, percentages.Tally]:
        """Sum a window of the area, with levels of its own, for some operators."""
        row, column, height, width = window
        weights = self._weights.part(*window)
        people = self._people[row : row + height, column : column + width]
        sigma = sigma_by_cell(self._plan, self._all_cells)
        wanted = set(operators)
        found = {
            key: where
            for key, where in services(self._plan, levels, sigma).items()
            if key[1] in wanted
        }

        def sums(where: percentages.Service) -> dict[str, percentages.Tally]:
            return percentages.tally_all(self._zones, weights, where, people, self._villages)

        with ThreadPoolExecutor(self._threads) as pool:
            return {
                (*key, measure): tally
                for key, parts in zip(found, pool.map(sums, found.values()), strict=True)
                for measure, tally in parts.items()
            }


def _with_carriers_of(plan: Plan, cells: pd.DataFrame, also: pd.DataFrame) -> Plan:
    """Return a plan that also knows the operators and carriers of further cells."""
    operators = plan.operators
    if plan.request.operators is None:
        operators = tuple(sorted({*operators, *also["operator"]}))
    wanted = tuple(
        carrier
        for carrier in carriers(pd.concat([cells, also], ignore_index=True))
        if carrier.technology in plan.thresholds and carrier.operator in operators
    )
    return dataclasses.replace(plan, operators=operators, carriers=wanted)


def _signatures(masts: gpd.GeoDataFrame, cells: pd.DataFrame) -> dict[str, int]:
    """Return a hash of each mast's place and cells, in any order of the cells."""
    used = [name for name in CELL_COLUMNS if name in cells.columns]
    of_cells = pd.util.hash_pandas_object(cells[used], index=False)
    sums = of_cells.groupby(cells["mast_id"].to_numpy()).sum()
    places = pd.DataFrame(
        {"mast_id": masts["mast_id"].to_numpy(), "x": masts.geometry.x, "y": masts.geometry.y}
    )
    of_masts = pd.util.hash_pandas_object(places, index=False).to_numpy()
    own = sums.reindex(places["mast_id"], fill_value=0).to_numpy(np.uint64)
    return dict(zip(places["mast_id"], (of_masts ^ own).tolist(), strict=True))


def _bounding_window(
    levels: composite.Composite, parts: list[Levels], margin: int
) -> tuple[int, int, int, int]:
    """Return the window of the area that several masts reach, widened but within it."""
    spans = [(*composite.place_in(levels.grid, part.grid), *part.grid.shape) for part in parts]
    top = max(0, min(span[0] for span in spans) - margin)
    left = max(0, min(span[1] for span in spans) - margin)
    bottom = min(levels.grid.height, max(span[0] + span[2] for span in spans) + margin)
    right = min(levels.grid.width, max(span[1] + span[3] for span in spans) + margin)
    return top, left, bottom - top, right - left


def _window_of(mask: NDArray[np.bool_], margin: int) -> tuple[int, int, int, int]:
    """Return the smallest window with all true pixels, widened but within the mask."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, int(rows[0]) - margin), max(0, int(columns[0]) - margin)
    bottom = min(mask.shape[0], int(rows[-1]) + 1 + margin)
    right = min(mask.shape[1], int(columns[-1]) + 1 + margin)
    return top, left, bottom - top, right - left
