"""Administrative units as they were on a day: several vintages side by side in one layer.

Units are merged, split and renamed, and their codes are used again for other
ground (13366 was the commune Tiên Tân, and is the ward Hà Nam since 1 July 2025).
A zone is therefore known by its code together with the day since which it is
valid. A *vintage* is the set of zones of a level that are valid together.

Units whose boundaries nobody has kept are rows of the table `former_zones`;
`successors` finds what became of them in the lists of names that the resolutions
on mergers give.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from data.errors import InputError, Message, message
from data.schema import LEVELS

#: A table of zones, with or without geometry.
Frame = TypeVar("Frame", bound=pd.DataFrame)

#: Stand for open ends; sort before and after every ISO date.
BEFORE_ALL, AFTER_ALL = "0000-00-00", "9999-99-99"

#: First and last day of the communes of the list of November 2020: Resolution
#: 829/NQ-UBTVQH14 made them on 1 January 2020, Resolution 1288/NQ-UBTVQH15 merged
#: some of them on 1 January 2025.
COMMUNES_2020 = ("2020-01-01", "2024-12-31")

#: What parts the codes of several successors.
SEPARATOR = ";"

_UNITS = {
    "province": message("Provinces"),
    "district": message("Districts"),
    "commune": message("Communes and wards"),
}

#: Kinds of unit in front of Vietnamese names, without tones.
_KINDS = re.compile(r"^(tinh|thanh pho|thi xa|thi tran|huyen|quan|phuong|xa|tp|tx|tt)\.?\s+")

Basis = Literal["named", "split", "elimination", "ambiguous", "possible", "unknown"]


@dataclass(frozen=True)
class Vintage:
    """Zones of a level that are valid together.

    Parameters
    ----------
    level
        Administrative level.
    valid_from, valid_to
        First and last day on which exactly these zones are valid; None where
        it is not known or has not come.
    count
        Number of zones.
    area_km2
        Their area. [km2]
    """

    level: str
    valid_from: str | None
    valid_to: str | None
    count: int
    area_km2: float

    @property
    def day(self) -> str:
        """A day on which it is valid."""
        return self.valid_from or self.valid_to or dt.date.today().isoformat()  # noqa: DTZ011

    def valid_on(self, day: str | dt.date) -> bool:
        """Return whether it is valid on a day."""
        text = iso(day)
        return (self.valid_from or BEFORE_ALL) <= text <= (self.valid_to or AFTER_ALL)

    def label(self, written: Callable[[str], str] = str) -> Message:
        """Say which vintage it is.

        Parameters
        ----------
        written
            Writes a date in the language in use.

        Returns
        -------
        Message
            E.g. "Communes and wards (33), from 2025-07-01".
        """
        units = _UNITS[self.level]
        start, end = self.valid_from, self.valid_to
        if start is not None and end is not None:
            return message(
                "{units} ({count}), from {start} to {end}",
                units=units,
                count=self.count,
                start=written(start),
                end=written(end),
            )
        if start is not None:
            return message(
                "{units} ({count}), from {start}",
                units=units,
                count=self.count,
                start=written(start),
            )
        if end is not None:
            return message(
                "{units} ({count}), until {end}", units=units, count=self.count, end=written(end)
            )
        return message("{units} ({count})", units=units, count=self.count)


def iso(day: str | dt.date) -> str:
    """Return a day as ISO text.

    Parameters
    ----------
    day
        A date, or text YYYY-MM-DD.

    Returns
    -------
    str
        YYYY-MM-DD.

    Raises
    ------
    InputError
        If the text is no date.
    """
    if isinstance(day, dt.date):
        return day.isoformat()[:10]
    try:
        return dt.date.fromisoformat(day).isoformat()
    except ValueError as error:
        raise InputError("{value} is not a day (expected YYYY-MM-DD)", value=day) from error


def periods(zones: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return first and last day of every zone as text that sorts, open ends included.

    Parameters
    ----------
    zones
        Layer `zones` or `former_zones`.

    Returns
    -------
    tuple of NDArray
        One text per zone.
    """
    start = _days(zones, "valid_from", BEFORE_ALL)
    return start, _days(zones, "valid_to", AFTER_ALL)


def _days(zones: pd.DataFrame, column: str, missing: str) -> NDArray[Any]:
    if column not in zones:
        return np.full(len(zones), missing, dtype=object)
    days = zones[column].astype(object)
    return days.where(days.notna(), missing).to_numpy(dtype=object)


def on(zones: Frame, day: str | dt.date) -> Frame:
    """Return the zones that are valid on a day.

    Parameters
    ----------
    zones
        Layer `zones` or `former_zones`.
    day
        The day; first and last day of a zone belong to it.

    Returns
    -------
    DataFrame or GeoDataFrame
        Rows of `zones` with their index; a zone without dates is always valid.

    Raises
    ------
    InputError
        If the text is no date.
    """
    text = iso(day)
    start, end = periods(zones)
    return zones.loc[(start <= text) & (text <= end)]


def vintages(zones: gpd.GeoDataFrame) -> list[Vintage]:
    """Return the vintages of a layer.

    Parameters
    ----------
    zones
        Layer `zones`. [m]

    Returns
    -------
    list of Vintage
        By level, widest first, then by time. A day on which one zone of a level
        changes parts two vintages; days without any zone make none.
    """
    found: list[Vintage] = []
    level_of = zones["level"].to_numpy(dtype=object)
    starts, ends = periods(zones)
    areas = zones.geometry.area.to_numpy() / 1e6
    for level in LEVELS:
        rows = np.flatnonzero(level_of == level)
        if not len(rows):
            continue
        start, end = starts[rows], ends[rows]
        cuts = sorted({*start, *(_next_day(day) for day in end if day != AFTER_ALL)})
        before: NDArray[np.bool_] | None = None
        for number, first in enumerate(cuts):
            valid = (start <= first) & (first <= end)
            last = _day_before(cuts[number + 1]) if number + 1 < len(cuts) else None
            if before is not None and np.array_equal(valid, before):
                # A day on which nothing of this level changed.
                found[-1] = _lasting(found[-1], last)
            elif valid.any():
                found.append(
                    Vintage(
                        level,
                        None if first == BEFORE_ALL else first,
                        last,
                        int(valid.sum()),
                        float(areas[rows[valid]].sum()),
                    )
                )
            before = valid if valid.any() else None
    return found


def _lasting(vintage: Vintage, last: str | None) -> Vintage:
    return Vintage(vintage.level, vintage.valid_from, last, vintage.count, vintage.area_km2)


def _next_day(day: str) -> str:
    return (dt.date.fromisoformat(day) + dt.timedelta(days=1)).isoformat()


def _day_before(day: str) -> str:
    return (dt.date.fromisoformat(day) - dt.timedelta(days=1)).isoformat()


def of(zones: Frame, vintage: Vintage) -> Frame:
    """Return the zones of a vintage.

    Parameters
    ----------
    zones
        Layer `zones`.
    vintage
        One that `vintages` found in it.

    Returns
    -------
    DataFrame or GeoDataFrame
        Rows of `zones` with their index.
    """
    start, end = periods(zones)
    first, last = vintage.valid_from or BEFORE_ALL, vintage.valid_to or AFTER_ALL
    return zones.loc[(zones["level"] == vintage.level) & (start <= first) & (last <= end)]


def current(found: list[Vintage], day: str | dt.date | None = None) -> Vintage | None:
    """Return the vintage to show where nobody asks for another.

    Parameters
    ----------
    found
        Vintages of one level.
    day
        The day; today if None.

    Returns
    -------
    Vintage or None
        The one valid on that day, otherwise the latest; None if there is none.
    """
    when = dt.date.today() if day is None else day  # noqa: DTZ011
    valid = [vintage for vintage in found if vintage.valid_on(when)]
    return next(iter(valid or found[-1:]), None)


def newest(zones: gpd.GeoDataFrame, level: str) -> gpd.GeoDataFrame:
    """Return the zones of the newest vintage of a level.

    It does not depend on the day on which it is asked, so that results can be
    computed again.

    Parameters
    ----------
    zones
        Layer `zones`.
    level
        Administrative level.

    Returns
    -------
    GeoDataFrame
        Rows of `zones` with their index.
    """
    of_level = zones.loc[zones["level"] == level]
    start, end = periods(of_level)
    if not len(of_level) or (start.max() <= end.min()):
        return of_level
    return of(of_level, vintages(of_level)[-1])


def parents(zones: pd.DataFrame) -> NDArray[np.int64]:
    """Return the zone to which each zone belongs.

    Parameters
    ----------
    zones
        Layer `zones`.

    Returns
    -------
    NDArray of int
        Position of the parent, -1 for none. Of several zones with the parent's
        code it is the one that is first valid together with the child; a parent that
        ended before the child began (a province that lives on as a study area) is
        taken only if there is no other.
    """
    code = zones["code"].to_numpy(dtype=object)
    parent = zones["parent_code"].to_numpy(dtype=object)
    start, end = periods(zones)
    where: dict[object, list[int]] = {}
    for position, value in enumerate(code):
        where.setdefault(value, []).append(position)
    found = np.full(len(zones), -1, dtype=np.int64)
    for child, value in enumerate(parent):
        if pd.isna(value):
            continue
        candidates = [k for k in where.get(value, []) if k != child]
        together = [k for k in candidates if start[k] <= end[child] and start[child] <= end[k]]
        if together:
            found[child] = min(together, key=lambda k: (max(start[k], start[child]), k))
        elif candidates:
            found[child] = max(candidates, key=lambda k: (end[k], -k))
    return found


def plain_name(name: str) -> str:
    """Return a Vietnamese name in a form that compares equal however it is typed.

    Parameters
    ----------
    name
        Name of a unit, with or without its kind and a remark in brackets.

    Returns
    -------
    str
        Lower case, without kind, remark, double spaces; the tone of each syllable
        stands at its end, so that both ways to place it (hoá, hóa) are the same.

    Examples
    --------
    >>> plain_name("Phường Đồng Hoá") == plain_name("Xã Đồng Hóa")
    True
    >>> plain_name("Xã Thanh Sơn (thị xã Kim Bảng)") == plain_name("Thanh Sơn")
    True
    >>> plain_name("Xã Thanh Sơn") == plain_name("Xã Thanh Sòn")
    False
    """
    text = re.sub(r"\([^)]*\)", " ", name)
    text = " ".join(unicodedata.normalize("NFC", text).casefold().split())
    kind = _KINDS.match(_without_marks(text) + " ")
    if kind is not None and len(text) > kind.end():
        text = text[kind.end() :]
    return " ".join(_tone_last(word) for word in text.replace("-", " ").split())


def _without_marks(text: str) -> str:
    marks = unicodedata.normalize("NFD", text)
    return "".join(char for char in marks if not unicodedata.combining(char)).replace("đ", "d")


#: Grave, acute, tilde, hook above, dot below: the tones; other marks make letters.
_TONES = "\u0300\u0301\u0303\u0309\u0323"


def _tone_last(word: str) -> str:
    marks = unicodedata.normalize("NFD", word)
    tones = "".join(char for char in marks if char in _TONES)
    rest = "".join(char for char in marks if char not in _TONES)
    return unicodedata.normalize("NFC", rest) + tones


def former_zones_from_list(
    path: Path,
    *,
    zones: pd.DataFrame | None = None,
    valid_from: str = COMMUNES_2020[0],
    valid_to: str = COMMUNES_2020[1],
) -> pd.DataFrame:
    """Read a list of former communes, such as the 109 of Hà Nam in 2020.

    Parameters
    ----------
    path
        CSV with adm2_code, adm3_code, adm3_name and adm3_type.
    zones
        Zones with a column `merged_from`, to say what became of each.
    valid_from, valid_to
        First and last day of the communes.

    Returns
    -------
    DataFrame
        Layer `former_zones`.

    Raises
    ------
    InputError
        If the file cannot be read or lacks a column.
    """
    wanted = ["adm2_code", "adm3_code", "adm3_name", "adm3_type"]
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(
            "{file} cannot be read as a list of communes (expected a CSV file in UTF-8)",
            file=path.name,
        ) from error
    for column in wanted:
        if column not in table:
            raise InputError(
                "{file}: column {column} is missing (expected {expected})",
                file=path.name,
                column=column,
                expected=", ".join(wanted),
            )
    former = pd.DataFrame(
        {
            "code": table["adm3_code"],
            "name": table["adm3_name"],
            "type": table["adm3_type"],
            "parent_code": table["adm2_code"],
            "valid_from": valid_from,
            "valid_to": valid_to,
            "successor_codes": None,
        }
    )
    if zones is not None and "merged_from" in zones:
        found = successors(former, zones)
        likely = found.loc[~found["basis"].isin(["possible", "unknown"])]
        joined = likely.groupby("former")["successor"].agg(SEPARATOR.join)
        former["successor_codes"] = joined.reindex(former["code"]).to_numpy(dtype=object)
    return former


def successors(
    former: pd.DataFrame,
    zones: pd.DataFrame,
    *,
    districts: Mapping[str, str] | None = None,
    renamed: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Find the zones into which former ones went, in the names of what those were made of.

    The names of `merged_from` are those of the day of the merger. A former unit
    that an earlier merger had already joined to another is not among them:

    - "named": found by its name in one zone;
    - "split": found in several zones, each of which got a part;
    - "elimination": not found, but of its district one zone alone names a unit
      that is not in the list, so it most likely went there;
    - "ambiguous": the same with several such zones, any of which it may be; if
      there is none, all zones of its district come into question;
    - "possible": the other zones of the district of such a unit; it went there if
      it had been joined to a unit that kept its name;
    - "unknown": no zone is made of units of its district.

    Names are first looked for in the zone's own district (`district_2020`, or
    the remark in brackets behind the name), then everywhere if only one has it:
    the same name occurs in several districts.

    Parameters
    ----------
    former
        Layer `former_zones`.
    zones
        Layer `zones`; rows with `merged_from` count.
    districts
        Name by code of the districts, for the remarks in brackets; taken from
        `zones` if None.
    renamed
        Name at the time of the merger by former code, where it is known.

    Returns
    -------
    DataFrame
        One row for each former unit and each zone it may have gone to: former,
        successor (codes; empty if unknown), basis.
    """
    heirs = zones.loc[zones["merged_from"].notna()]
    if districts is None:
        others = zones.loc[zones["level"] == "district"]
        districts = dict(zip(others["code"], others["name"], strict=True))
    by_name = {plain_name(name): code for code, name in districts.items()}
    given = dict(renamed or {})
    names = [
        plain_name(given.get(code, name))
        for code, name in zip(former["code"], former["name"], strict=True)
    ]
    known: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        known.setdefault(name, []).append(position)
    district = former["parent_code"].to_numpy(dtype=object)
    found: dict[int, list[str]] = {}
    strange: dict[str, list[str]] = {}
    local: dict[str, list[str]] = {}
    for row in heirs.to_dict("records"):
        near_by = row.get("district_2020")
        home = str(row["parent_code"] if near_by is None or pd.isna(near_by) else near_by)
        for part in str(row["merged_from"]).split(","):
            remark = re.search(r"\(([^)]*)\)", part)
            where = by_name.get(plain_name(remark.group(1)), home) if remark else home
            candidates = known.get(plain_name(part), [])
            near = [k for k in candidates if district[k] == where]
            # Units renamed to one name, as given, all went there.
            chosen = near or (candidates if len({district[k] for k in candidates}) == 1 else [])
            for k in chosen:
                found.setdefault(k, []).append(str(row["code"]))
                local.setdefault(str(district[k]), []).append(str(row["code"]))
            if not chosen:
                strange.setdefault(where, []).append(str(row["code"]))
    rows: list[tuple[str, str | None, Basis]] = []
    for position, code in enumerate(former["code"].astype(str).tolist()):
        there = list(dict.fromkeys(found.get(position, [])))
        basis: Basis = "split" if len(there) > 1 else "named"
        possible: list[str] = []
        if not there:
            own = str(district[position])
            there = list(dict.fromkeys(strange.get(own) or local.get(own, [])))
            basis = "ambiguous" if len(there) > 1 else "elimination"
            possible = [heir for heir in local.get(own, []) if heir not in there]
        if there:
            rows += [(code, heir, basis) for heir in there]
            rows += [(code, heir, "possible") for heir in sorted(set(possible))]
        else:
            rows.append((code, None, "unknown"))
    return pd.DataFrame(rows, columns=["former", "successor", "basis"])
