"""Whether a dedicated network meets what is asked of it, as far as data can tell.

The requirements are rows of `planning/tables/network_norms.csv`, each with its
instrument, article and source and whether the instrument's text was compared. A
workspace brings its own table as a file ``network_norms.csv`` of the same columns, which
takes the place of the whole built-in one: other countries have other rules.

Every requirement is met, not met, or cannot be checked, and says on what evidence. What
is not known counts neither for nor against: a requirement fails only where it fails
whatever the missing figures are, and is met only where it is met whatever they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from coverage.own_table import read_own_table
from data import schema
from data.addresses import as_range, overlapping
from data.errors import InputError, Message, message
from data.store import Workspace
from data.vintages import iso
from planning import resilience
from planning.dedicated_network import NetworkStatus

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Result = Literal["met", "not met", "cannot be checked"]

#: The built-in table.
TABLE = Path(__file__).parent / "tables" / "network_norms.csv"

#: Name of the table that a workspace may bring in place of it.
OWN_FILE = "network_norms.csv"

_COLUMNS = (
    "norm", "kind", "sites", "value", "unit", "valid_from", "valid_to", "instrument", "article",
    "source", "verified", "note",
)  # fmt: skip

#: Which sites a requirement can be about -> which those are.
SITES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "all": lambda sites: pd.Series(True, index=sites.index),
    "central": lambda sites: sites["level"] == "central",
    "province": lambda sites: sites["level"] == "province",
    "district": lambda sites: sites["level"] == "district",
    "commune": lambda sites: sites["level"] == "commune",
    "hub": lambda sites: sites["role"] == "hub",
    "aggregation": lambda sites: sites["role"] == "aggregation",
    "access": lambda sites: sites["role"] == "access",
    "critical": lambda sites: sites["criticality"] >= 4,
    "endpoint": lambda sites: sites["video_conference"],
}

#: Kinds of requirement -> unit of their value, empty where they have none.
KINDS = {
    "connected_share": "%",
    "reachable_share": "%",
    "lan_share": "%",
    "video_conference_share": "%",
    "wired_share": "%",
    "protected": "%",
    "bandwidth": "Mbit/s",
    "availability": "%",
    "delay": "ms",
    "loss": "%",
    "addressing": "",
    "security_level": "level",
}

_WIRED = ("fibre", "copper")

#: Sites that a piece of evidence names.
_NAMED = 5


@dataclass(frozen=True)
class Norm:
    """One requirement.

    Parameters
    ----------
    norm
        Short name.
    kind
        One of `KINDS`.
    sites
        One of `SITES`.
    value
        Least share, bandwidth or availability, or greatest delay or loss; NaN where the
        kind has none.
    unit
        Unit of the value.
    valid_from, valid_to
        Days between which it holds, None without limit.
    instrument, article
        Where it is laid down; empty where it is an assumption.
    source
        Where that is known from.
    verified
        Whether the text of the instrument was compared.
    note
        What else to know.
    """

    norm: str
    kind: str
    sites: str
    value: float
    unit: str
    valid_from: str | None
    valid_to: str | None
    instrument: str
    article: str
    source: str
    verified: bool
    note: str

    @property
    def requirement(self) -> Message:
        """What is asked for, in words."""
        value = f"{self.value:g}"
        return {
            "connected_share": message("at least {value} % connected", value=value),
            "reachable_share": message(
                "at least {value} % of those connected reach a data centre", value=value
            ),
            "lan_share": message("at least {value} % with a local network", value=value),
            "video_conference_share": message(
                "at least {value} % with an endpoint of conferences", value=value
            ),
            "wired_share": message(
                "at least {value} % of those connected by fibre or copper", value=value
            ),
            "protected": message(
                "at least {value} % of those connected cut off by no single failure of a link, "
                "another site, a duct or a trench",
                value=value,
            ),
            "bandwidth": message("a link of at least {value} Mbit/s", value=value),
            "availability": message("an availability of at least {value} %", value=value),
            "delay": message("a delay of at most {value} ms to a data centre", value=value),
            "loss": message("a loss of at most {value} % to a data centre", value=value),
            "addressing": message("address ranges of their own"),
            "security_level": message(
                "an approved security level of at least {value}", value=value
            ),
        }[self.kind]

    def holds_on(self, day: str | None) -> bool:
        """Return whether it holds on a day; without one, whether it has not ended."""
        if day is None:
            return self.valid_to is None
        return (self.valid_from or "") <= day <= (self.valid_to or "9999-99-99")


@dataclass(frozen=True)
class Finding:
    """What was found about one requirement.

    Parameters
    ----------
    norm
        The requirement.
    result
        Whether it is met.
    count, of
        Sites that meet it, of those that it is about and whose figures tell.
    unknown
        Sites whose figures do not tell.
    evidence
        On what the result rests.
    failing
        The site_id of those that do not meet it.
    """

    norm: Norm
    result: Result
    count: int
    of: int
    unknown: int
    evidence: Message
    failing: tuple[str, ...] = ()


def norms(workspace_folder: Path | None = None) -> list[Norm]:
    """Return the requirements, those of a workspace in place of the built-in ones.

    Parameters
    ----------
    workspace_folder
        Folder that may hold `OWN_FILE`.

    Returns
    -------
    list of Norm
        In the order of the table.

    Raises
    ------
    InputError
        If the workspace's table cannot be read, or a row is not a requirement.
    """
    own = None if workspace_folder is None else workspace_folder / OWN_FILE
    return _read(own) if own is not None and own.exists() else list(_built_in())


@cache
def _built_in() -> tuple[Norm, ...]:
    return tuple(_read(TABLE))


def _read(path: Path) -> list[Norm]:
    table = read_own_table(path, _COLUMNS)
    found: dict[str, Norm] = {}
    for number, row in table.iterrows():
        unit = KINDS.get(row["kind"])
        if not row["norm"] or row["norm"] in found:
            raise _wrong(path, number, row, "norm", message("a name that no other row has"))
        if unit is None:
            options = message("one of {options}", options=", ".join(KINDS))
            raise _wrong(path, number, row, "kind", options)
        if row["sites"] not in SITES:
            options = message("one of {options}", options=", ".join(SITES))
            raise _wrong(path, number, row, "sites", options)
        if row["unit"] != unit:
            raise _wrong(path, number, row, "unit", unit or "–")
        value = _value(row["value"])
        most = 100.0 if unit == "%" else 1e9
        if unit and not 0.0 <= value <= most:
            limits = message("a number from 0 to {most}", most=f"{most:g}")
            raise _wrong(path, number, row, "value", limits)
        if row["verified"].lower() not in ("yes", "no"):
            raise _wrong(path, number, row, "verified", message("yes or no"))
        start, end = (_day(path, number, row, name) for name in ("valid_from", "valid_to"))
        if start is not None and end is not None and end < start:
            raise _wrong(
                path, number, row, "valid_to", message("a day not before {day}", day=start)
            )
        found[row["norm"]] = Norm(
            row["norm"],
            row["kind"],
            row["sites"],
            value if unit else math.nan,
            unit,
            start,
            end,
            row["instrument"],
            row["article"],
            row["source"],
            row["verified"].lower() == "yes",
            row["note"],
        )
    return list(found.values())


def _wrong(
    path: Path, number: object, row: pd.Series, column: str, expected: Message | str
) -> InputError:
    return InputError(
        "{file}, row {row}, column {column}: {value} (expected {expected})",
        file=path.name,
        row=number,
        column=column,
        value=row[column] or "–",
        expected=expected,
    )


def _day(path: Path, number: object, row: pd.Series, column: str) -> str | None:
    if not row[column]:
        return None
    try:
        return iso(row[column])
    except InputError as error:
        raise _wrong(path, number, row, column, message("a date as YYYY-MM-DD")) from error


def _value(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


# The check


def check(state: NetworkStatus, asked: list[Norm]) -> list[Finding]:
    """Check a network against requirements.

    Parameters
    ----------
    state
        From `planning.dedicated_network.status`.
    asked
        From `norms`.

    Returns
    -------
    list of Finding
        One for each requirement that holds on the state's day, in the table's order.

    Notes
    -----
    Availability is the chance that a site reaches a data centre when every link fails
    by itself as its contract says (`planning.resilience.availability`); shared ducts
    have no figure and do not fail. Delay is that of the fastest way, loss that of the way
    with the least. A link without a figure is first taken as the worst there can be,
    then as the best: where both give the same answer it stands.
    """
    facts = _Facts(state)
    return [_check_one(facts, norm) for norm in asked if norm.holds_on(state.day)]


def notes(state: NetworkStatus, asked: list[Norm]) -> list[Message]:
    """Return what a reader of the findings must know.

    Parameters
    ----------
    state
        From `planning.dedicated_network.status`.
    asked
        From `norms`.

    Returns
    -------
    list of Message
        How many requirements are left out because they have a last day.
    """
    ends = [norm.valid_to for norm in asked if norm.valid_to is not None]
    if state.day is not None or not ends:
        return []
    return [
        message(
            "As recorded, requirements that have a last day (valid_to) are not checked, whether "
            "it is over or not: {count}, the latest {day}. They are checked on a chosen day",
            count=len(ends),
            day=max(ends),
        )
    ]


def check_workspace(workspace: Workspace, state: NetworkStatus) -> list[Finding]:
    """Check a network against the requirements of its study area.

    Parameters
    ----------
    workspace
        The study area, for its own table of requirements.
    state
        From `planning.dedicated_network.status`.

    Returns
    -------
    list of Finding
        See `check`.

    Raises
    ------
    InputError
        See `norms`.
    """
    return check(state, norms(workspace.folder))


class _Facts:
    """What requirements are checked with, computed when it is first asked for."""

    def __init__(self, state: NetworkStatus) -> None:
        self.sites = state.sites
        self.live = state.network
        self.roots = np.flatnonzero(self.live.hub)
        where = {name: k for k, name in enumerate(self.live.sites["site_id"])}
        #: Position of each site in the live network, -1 where it is not connected.
        self.node = np.array([where.get(name, -1) for name in self.sites["site_id"]], np.int64)

    @cached_property
    def addresses(self) -> tuple[BoolArray, BoolArray]:
        """Which sites have address ranges, and which share one with another site."""
        ranges = [
            (position, found)
            for position, cell in enumerate(self.sites["addresses"].tolist())
            for part in schema.listed(cell)
            if (found := as_range(part)) is not None
        ]
        given, twice = (np.zeros(len(self.sites), bool) for _ in range(2))
        given[[position for position, _ in ranges]] = True
        twice[list(overlapping(ranges))] = True
        return given, twice

    @cached_property
    def protected(self) -> BoolArray:
        """Which live sites no single failure cuts off, providers and data centres aside."""
        groups = {
            name: rows
            for name, rows in self.live.risk_groups.items()
            if not name.startswith("provider:")
        }
        found = resilience.protected(
            len(self.live.sites), self.live.tail, self.live.head, self.roots, groups=groups
        )
        return np.asarray(found.served & found.edge & found.node & found.group)

    @cached_property
    def wired(self) -> BoolArray:
        """Which live sites reach a data centre by wires alone."""
        wired = self.live.links["medium"].isin(_WIRED).to_numpy(bool)
        return np.isfinite(self._distance(np.where(wired, 0.0, np.inf)))

    @cached_property
    def availability(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest availability of the live sites, by what contracts say, in %."""
        agreed = self.live.links["availability_percent"].to_numpy(np.float64) / 100.0
        low, high = (
            resilience.availability(
                len(self.live.sites),
                self.live.tail,
                self.live.head,
                self.roots,
                edge_availability=np.where(np.isnan(agreed), missing, agreed),
            )
            for missing in (0.0, 1.0)
        )
        return 100.0 * low.low, 100.0 * high.high

    @cached_property
    def delay(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest delay to a data centre, in ms."""
        agreed = self.live.links["delay_ms"].to_numpy(np.float64)
        return self._distance(np.nan_to_num(agreed, nan=0.0)), self._distance(
            np.where(np.isnan(agreed), np.inf, agreed)
        )

    @cached_property
    def loss(self) -> tuple[FloatArray, FloatArray]:
        """Least and greatest loss on the way to a data centre, in %."""
        agreed = self.live.links["loss_percent"].to_numpy(np.float64) / 100.0
        with np.errstate(divide="ignore"):
            weight = -np.log1p(-agreed)
        least = self._distance(np.nan_to_num(weight, nan=0.0, posinf=np.inf))
        most = self._distance(np.where(np.isnan(weight), np.inf, weight))
        return -100.0 * np.expm1(-least), -100.0 * np.expm1(-most)

    def _distance(self, weight: FloatArray) -> FloatArray:
        """Return the distance of the live sites to the nearest data centre; inf without way."""
        count = len(self.live.sites)
        usable = np.isfinite(weight)
        if not len(self.roots):
            return np.full(count, np.inf)
        tail, head = self.live.tail[usable], self.live.head[usable]
        # Of links side by side the best counts; the sparse graph must hold a 0 as a number.
        best = pd.DataFrame(
            {
                "a": np.minimum(tail, head),
                "b": np.maximum(tail, head),
                "w": np.maximum(weight[usable], 1e-300),
            }
        ).groupby(["a", "b"], as_index=False)["w"]
        edges = best.min()
        graph = scipy.sparse.csr_array((edges["w"], (edges["a"], edges["b"])), shape=(count, count))
        return np.asarray(dijkstra(graph, directed=False, indices=self.roots, min_only=True))


def _check_one(facts: _Facts, norm: Norm) -> Finding:
    sites = facts.sites
    about = SITES[norm.sites](sites).to_numpy(bool)
    if norm.kind not in ("connected_share", "lan_share", "video_conference_share"):
        about = about & sites["connected"].to_numpy(bool)
    if not about.any():
        said = message("there is no such site on that day")
        return Finding(norm, "cannot be checked", 0, 0, 0, said)
    if norm.kind not in _LOCAL and not len(facts.roots):
        said = message("no connected site is a data centre (role hub)")
        return Finding(norm, "cannot be checked", 0, 0, int(about.sum()), said)
    good, bad = _judged(facts, norm)
    count, failed = int((about & good).sum()), int((about & bad).sum())
    total = int(about.sum())
    unknown = total - count - failed
    share_asked = norm.value / 100.0 if norm.kind in _SHARES else 1.0
    # Of a share it is enough that so many meet it; else every site must.
    if count >= share_asked * total - 1e-9:
        result: Result = "met"
    elif count + unknown < share_asked * total - 1e-9:
        result = "not met"
    else:
        result = "cannot be checked"
    failing = tuple(sites.loc[about & bad, "site_id"].tolist())
    said = _evidence(count, failing, unknown)
    return Finding(norm, result, count, count + failed, unknown, said, failing)


_SHARES = (
    "connected_share", "reachable_share", "lan_share", "video_conference_share", "wired_share",
    "protected",
)  # fmt: skip

#: Kinds that need no data centre.
_LOCAL = (
    "connected_share", "lan_share", "video_conference_share", "bandwidth", "addressing",
    "security_level",
)  # fmt: skip


def _judged(facts: _Facts, norm: Norm) -> tuple[BoolArray, BoolArray]:
    """Return which sites surely meet a requirement, and which surely do not."""
    sites = facts.sites
    if norm.kind in _SHARES:
        good = {
            "connected_share": lambda: sites["connected"].to_numpy(bool),
            "reachable_share": lambda: sites["reachable"].to_numpy(bool),
            "lan_share": lambda: sites["lan"].to_numpy(bool),
            "video_conference_share": lambda: sites["video_conference"].to_numpy(bool),
            "wired_share": lambda: _at(facts.node, facts.wired, False),
            "protected": lambda: _at(facts.node, facts.protected, False),
        }[norm.kind]()
        return good, ~good
    if norm.kind == "bandwidth":
        best = sites["best_mbps"].to_numpy(np.float64)
        good = best >= norm.value
        # Beside a small link with a figure there may be a larger one without.
        return good, ~good & ~_some_without(facts)
    if norm.kind == "addressing":
        given, twice = facts.addresses
        return given & ~twice, twice
    if norm.kind == "security_level":
        level = sites["security_level"].to_numpy(np.float64, na_value=np.nan)
        return level >= norm.value, level < norm.value
    least, most = (
        _at(facts.node, values, np.nan)
        for values in {
            "availability": lambda: facts.availability,
            "delay": lambda: facts.delay,
            "loss": lambda: facts.loss,
        }[norm.kind]()
    )
    if norm.kind == "availability":
        return least >= norm.value, most < norm.value
    return most <= norm.value, least > norm.value


def _some_without(facts: _Facts) -> BoolArray:
    """Return which sites have a live link whose capacity is not known."""
    live = facts.live
    without = live.links["capacity_mbps"].isna().to_numpy(bool)
    some = np.zeros(len(live.sites), bool)
    some[live.tail[without]] = True
    some[live.head[without]] = True
    return _at(facts.node, some, False)


def _at(node: NDArray[np.int64], values: NDArray[Any], missing: Any) -> NDArray[Any]:
    """Return the values of the live sites at all sites."""
    if not len(values):
        return np.full(len(node), missing)
    return np.where(node >= 0, values[node], missing)


def _evidence(count: int, failing: tuple[str, ...], unknown: int) -> Message:
    total = count + len(failing) + unknown
    named = ", ".join(failing[:_NAMED]) + (", …" if len(failing) > _NAMED else "")
    if count == 1:
        meeting = message("{count} of {total} sites meets it", count=count, total=total)
    else:
        meeting = message("{count} of {total} sites meet it", count=count, total=total)
    if unknown == 1:
        lacking = message("{unknown} lacks figures", unknown=unknown)
    else:
        lacking = message("{unknown} lack figures", unknown=unknown)
    if failing and unknown:
        return message(
            "{meeting}, {lacking}; not {sites}", meeting=meeting, lacking=lacking, sites=named
        )
    if failing:
        return message("{meeting}; not {sites}", meeting=meeting, sites=named)
    if unknown:
        return message("{meeting}, {lacking}", meeting=meeting, lacking=lacking)
    return meeting


def table(findings: list[Finding]) -> pd.DataFrame:
    """Return findings as a table.

    Parameters
    ----------
    findings
        From `check`.

    Returns
    -------
    DataFrame
        Columns norm, sites, requirement, result, count, of, unknown, evidence, failing
        (site_id with semicolons between them), instrument, article, verified, source, note.
    """
    columns = [
        "norm", "sites", "requirement", "result", "count", "of", "unknown", "evidence", "failing",
        "instrument", "article", "verified", "source", "note",
    ]  # fmt: skip
    rows = [
        (
            each.norm.norm,
            each.norm.sites,
            str(each.norm.requirement),
            each.result,
            each.count,
            each.of,
            each.unknown,
            str(each.evidence),
            ";".join(each.failing),
            each.norm.instrument,
            each.norm.article,
            "yes" if each.norm.verified else "no",
            each.norm.source,
            each.norm.note,
        )
        for each in findings
    ]
    return pd.DataFrame(rows, columns=columns)
