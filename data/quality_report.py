"""The data-quality report: its figures, and what they say in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from data.errors import Message, Problem, message
from data.vintages import Vintage
from data.warp import LOWEST_GROUND_M

#: Gaps and overlaps narrower than this are slivers. [m]
SLIVER_WIDTH_M = 50.0

#: Layers and rasters that are this many years apart are named. [years]
VINTAGE_YEARS = 10

#: Share of the people of a zone on water from which it is named.
WATER_SHARE = 0.02

#: Share by which a table's total of people may differ from the raster's.
_PEOPLE_SHARE = 0.05


@dataclass(frozen=True)
class Spot:
    """A gap or overlap.

    Parameters
    ----------
    area_km2
        Its area. [km2]
    lon, lat
        A point in it, WGS 84. [deg]
    width_m
        Twice the area by the perimeter. [m]
    codes
        The zones: two that overlap, or those around a gap.
    """

    area_km2: float
    lon: float
    lat: float
    width_m: float
    codes: tuple[str, ...]

    @property
    def sliver(self) -> bool:
        """Whether it is narrower than `SLIVER_WIDTH_M`."""
        return self.width_m < SLIVER_WIDTH_M


@dataclass(frozen=True)
class Tiling:
    """How the zones of one level and vintage lie side by side.

    Parameters
    ----------
    level
        Administrative level.
    valid_from, valid_to
        First and last day on which exactly these zones are valid.
    zones
        Their number.
    area_km2
        Area of their union. [km2]
    gaps, overlaps
        The largest first.
    gap_km2, overlap_km2
        In all. [km2]
    """

    level: str
    valid_from: str | None
    valid_to: str | None
    zones: int
    area_km2: float
    gaps: tuple[Spot, ...]
    overlaps: tuple[Spot, ...]
    gap_km2: float
    overlap_km2: float

    @property
    def slivers(self) -> int:
        """Number of gaps and overlaps that are slivers."""
        return sum(spot.sliver for spot in (*self.gaps, *self.overlaps))

    @property
    def label(self) -> Message:
        """Level and vintage, for people."""
        return Vintage(
            self.level, self.valid_from, self.valid_to, self.zones, self.area_km2
        ).label()

    @property
    def name(self) -> str:
        """Level and vintage."""
        if self.valid_from is None and self.valid_to is None:
            return self.level
        return f"{self.level} ({self.valid_from or '…'} to {self.valid_to or 'now'})"


@dataclass(frozen=True)
class Outlines:
    """How far the unions of two levels or vintages differ.

    Parameters
    ----------
    first, second
        Names of the tilings.
    difference_km2
        Ground that only one of them covers. [km2]
    """

    first: str
    second: str
    difference_km2: float


@dataclass(frozen=True)
class ZoneShare:
    """A figure of a zone.

    Parameters
    ----------
    code, name
        The zone.
    share
        Share of its people.
    people
        Their number.
    """

    code: str
    name: str
    share: float
    people: float


@dataclass(frozen=True)
class Water:
    """People on water by the rasters of population and land cover.

    Parameters
    ----------
    share
        Of the people in the zones.
    people
        Their number.
    step_m
        Pixel size of the comparison. [m]
    zones
        Zones with people on water, the worst first; at most 20.
    """

    share: float
    people: float
    step_m: float
    zones: tuple[ZoneShare, ...]


@dataclass(frozen=True)
class Total:
    """A count of people beside that of the raster.

    Parameters
    ----------
    name
        Where the count stands, e.g. "zones.population_census_2019".
    zones
        Number of zones that have the count.
    people
        The count.
    raster
        People of the raster in the same zones.
    """

    name: str
    zones: int
    people: float
    raster: float

    @property
    def ratio(self) -> float:
        """The raster's people for one of the count's."""
        return self.raster / self.people if self.people else float("nan")


@dataclass(frozen=True)
class AreaColumn:
    """A published area beside the computed one.

    Parameters
    ----------
    name
        Column of `zones`.
    zones
        Number of zones that have it.
    largest_km2
        Greatest difference. [km2]
    code
        Zone with it.
    """

    name: str
    zones: int
    largest_km2: float
    code: str


@dataclass(frozen=True)
class Strayed:
    """A mast that lies in another zone than it says.

    Parameters
    ----------
    mast_id
        The mast.
    said, found
        Zone as its column says and as it lies; `found` is empty outside all zones.
    distance_m
        To the zone that it names. [m]
    """

    mast_id: str
    said: str
    found: str
    distance_m: float


@dataclass(frozen=True)
class RasterCover:
    """How far a raster covers the area.

    Parameters
    ----------
    name
        Raster.
    beyond
        Share of the area beyond its edge.
    holes
        Share of the area without data inside it.
    """

    name: str
    beyond: float
    holes: float


@dataclass(frozen=True)
class Heights:
    """The terrain inside the area.

    Parameters
    ----------
    lowest_m, highest_m
        As stored. [m]
    below
        Pixels below `LOWEST_GROUND_M`.
    impossible
        Pixels that are higher or deeper than any ground on Earth.
    holes
        Pixels without a height.
    """

    lowest_m: float
    highest_m: float
    below: int
    impossible: int
    holes: int


@dataclass(frozen=True)
class QualityReport:
    """The data-quality report of a workspace.

    Parameters
    ----------
    content
        Hash of the content that was looked at.
    tilings
        Zones by level and vintage.
    outlines
        Unions of levels and vintages that differ.
    invalid
        Layer -> number of invalid or missing geometries.
    water
        People on water; None without the rasters, or where the land cover does not
        tell water apart.
    people
        Totals beside the raster's.
    people_raster
        People of the raster in the area, and in its whole extent.
    empty_zones
        Codes of the finest zones in which nobody lives by the raster.
    areas
        Published areas beside computed ones.
    strayed
        Masts that lie in another zone than they say.
    masts_outside
        Number of masts outside all zones.
    heights
        Terrain in the area.
    covers
        Rasters.
    years
        Layer or raster -> latest year in its vintage, where one is stated.
    build
        What the build found and did: ``terrain`` (see `data.assemble.warp_terrain`),
        ``skipped``, ``instead``, ``kept``, ``notes``.
    """

    content: str
    tilings: tuple[Tiling, ...] = ()
    outlines: tuple[Outlines, ...] = ()
    invalid: dict[str, int] = field(default_factory=dict)
    water: Water | None = None
    people: tuple[Total, ...] = ()
    people_raster: tuple[float, float] | None = None
    empty_zones: tuple[str, ...] = ()
    areas: tuple[AreaColumn, ...] = ()
    strayed: tuple[Strayed, ...] = ()
    masts_outside: int = 0
    heights: Heights | None = None
    covers: tuple[RasterCover, ...] = ()
    years: dict[str, int] = field(default_factory=dict)
    build: dict[str, Any] = field(default_factory=dict)

    def lines(self) -> list[Message]:
        """Return the report in sentences.

        Returns
        -------
        list of Message
            What is good is said as well as what is not.
        """
        return [
            *_tiling_lines(self),
            *_people_lines(self),
            *_mast_lines(self),
            *_terrain_lines(self),
            *_other_lines(self),
        ]

    def __str__(self) -> str:
        return "\n".join(str(line) for line in self.lines())

    def problems(self) -> list[Problem]:
        """Return what is doubtful, beyond what `data.check.check` reports.

        Returns
        -------
        list of Problem
            All of them warnings.
        """
        return _problems(self)


def restored(about: dict[str, Any]) -> QualityReport:
    """Make a report of what JSON gave.

    Parameters
    ----------
    about
        The fields.

    Returns
    -------
    QualityReport
        The report.
    """
    kinds: dict[str, Any] = {
        "outlines": Outlines,
        "people": Total,
        "areas": AreaColumn,
        "strayed": Strayed,
        "covers": RasterCover,
    }
    values = {one.name: about[one.name] for one in fields(QualityReport)}
    for name, kind in kinds.items():
        values[name] = tuple(kind(**row) for row in values[name])
    values["tilings"] = tuple(
        Tiling(
            **row
            | {
                name: tuple(Spot(**spot | {"codes": tuple(spot["codes"])}) for spot in row[name])
                for name in ("gaps", "overlaps")
            }
        )
        for row in values["tilings"]
    )
    if values["water"] is not None:
        water = values["water"]
        values["water"] = Water(
            **water | {"zones": tuple(ZoneShare(**row) for row in water["zones"])}
        )
    if values["heights"] is not None:
        values["heights"] = Heights(**values["heights"])
    if values["people_raster"] is not None:
        values["people_raster"] = tuple(values["people_raster"])
    values["empty_zones"] = tuple(values["empty_zones"])
    return QualityReport(**values)


# What is said


def _tiling_lines(report: QualityReport) -> Iterator[Message]:
    for tiling in report.tilings:
        values = {
            "name": tiling.label,
            "area": f"{tiling.area_km2:,.2f}",
        }
        if not tiling.gaps and not tiling.overlaps:
            yield (
                message(
                    "{name}: {area} km², without gaps or overlaps between the zones",
                    **values,
                )
            )
            continue
        yield (
            message(
                "{name}: {area} km²; {gaps} gaps of {gap_area} km² and {overlaps} "
                "overlaps of {overlap_area} km², {slivers} of them slivers (less than {width} m "
                "wide on average)",
                gaps=len(tiling.gaps),
                gap_area=f"{tiling.gap_km2:.3g}",
                overlaps=len(tiling.overlaps),
                overlap_area=f"{tiling.overlap_km2:.3g}",
                slivers=tiling.slivers,
                width=f"{SLIVER_WIDTH_M:g}",
                **values,
            )
        )
        for spot in tiling.overlaps[:3]:
            yield (
                message(
                    "{codes} overlap by {area} km²",
                    codes=" – ".join(spot.codes),
                    area=f"{spot.area_km2:.3g}",
                )
            )
        for spot in tiling.gaps[:3]:
            yield (
                message(
                    "a gap of {area} km² at {lat}, {lon}, beside {codes}",
                    area=f"{spot.area_km2:.3g}",
                    lat=f"{spot.lat:.5f}",
                    lon=f"{spot.lon:.5f}",
                    codes=", ".join(spot.codes[:4]),
                )
            )
    labels = {tiling.name: tiling.label for tiling in report.tilings}
    for pair in report.outlines:
        yield (
            message(
                "The outlines of {first} and {second} differ by {area} km²",
                first=labels[pair.first],
                second=labels[pair.second],
                area=f"{pair.difference_km2:.3g}",
            )
        )
    for column in report.areas:
        yield (
            message(
                "{column}: differs from the computed area by up to {area} km² (zone {code})",
                column=column.name,
                area=f"{column.largest_km2:.2f}",
                code=column.code,
            )
        )
    broken = {name: count for name, count in report.invalid.items() if count}
    if report.invalid and not broken:
        yield (message("No geometry is invalid"))
    for name, count in broken.items():
        yield (message("{layer}: {count} geometries are invalid", layer=name, count=count))


def _people_lines(report: QualityReport) -> Iterator[Message]:
    if report.people_raster is not None:
        inside, whole = report.people_raster
        yield (
            message(
                "The population raster has {inside} people in the area and {outside} outside all "
                "zones",
                inside=f"{inside:,.0f}",
                outside=f"{max(0.0, whole - inside):,.0f}",
            )
        )
    for total in report.people:
        # What was counted from the raster agrees with it by itself.
        if abs(total.ratio - 1.0) < 1e-4:
            continue
        yield (
            message(
                "{name} has {people} people, the raster {raster} in the same zones ({ratio} %)",
                name=total.name,
                people=f"{total.people:,.0f}",
                raster=f"{total.raster:,.0f}",
                ratio=f"{100 * total.ratio:.1f}",
            )
        )
    if report.empty_zones:
        yield (
            message(
                "{count} zones without people by the raster: {codes}",
                count=len(report.empty_zones),
                codes=", ".join(report.empty_zones[:10]),
            )
        )
    if report.water is not None:
        yield (
            message(
                "{share} % of the people ({people}) live on water by the land cover, compared at "
                "{step} m",
                share=f"{100 * report.water.share:.2f}",
                people=f"{report.water.people:,.0f}",
                step=f"{report.water.step_m:g}",
            )
        )
        for zone in report.water.zones[:3]:
            yield (
                message(
                    "{code} {name}: {share} % on water",
                    code=zone.code,
                    name=zone.name,
                    share=f"{100 * zone.share:.1f}",
                )
            )
    elif report.people_raster is not None:
        yield (message("The land cover does not tell water apart, so people on it are not seen"))


def _mast_lines(report: QualityReport) -> Iterator[Message]:
    if report.masts_outside:
        yield (message("{count} masts stand outside all zones", count=report.masts_outside))
    if report.strayed:
        yield (
            message("{count} masts lie in another zone than they say", count=len(report.strayed))
        )
    for one in report.strayed[:3]:
        yield (
            message(
                "mast {mast} says {said} and lies in {found}, {distance} m away",
                mast=one.mast_id,
                said=one.said,
                found=one.found or "–",
                distance=f"{one.distance_m:,.0f}",
            )
        )


def _terrain_lines(report: QualityReport) -> Iterator[Message]:
    if report.heights is not None:
        yield (
            message(
                "Terrain in the area: {low} to {high} m, {holes} pixels without a height, {below} "
                "below {limit} m",
                low=f"{report.heights.lowest_m:g}",
                high=f"{report.heights.highest_m:g}",
                holes=report.heights.holes,
                below=report.heights.below,
                limit=f"{LOWEST_GROUND_M:g}",
            )
        )
    terrain = report.build.get("terrain")
    if not terrain:
        return
    if terrain["void_pixels_filled"]:
        places = "; ".join(
            f"{one['area_km2']:.3g} km² at {one['lat']:.4f}, {one['lon']:.4f}"
            for one in terrain["voids_filled"][:5]
        )
        yield (
            message(
                "{count} pixels of voids in the terrain were filled from the heights of their rim: "
                "{places}",
                count=terrain["void_pixels_filled"],
                places=places,
            )
        )
    else:
        yield (message("No void in the terrain had to be filled"))
    if terrain["sea_pixels"]:
        yield (
            message(
                "{count} pixels of terrain without a height are sea, at 0 m",
                count=terrain["sea_pixels"],
            )
        )
    if terrain["low_pixels_raised"]:
        yield (
            message(
                "{count} pixels of terrain below {limit} m in higher ground (lowest {low} m) were "
                "raised to {limit} m",
                count=terrain["low_pixels_raised"],
                limit=f"{LOWEST_GROUND_M:g}",
                low=f"{terrain['lowest_m']:g}",
            )
        )


def _other_lines(report: QualityReport) -> Iterator[Message]:
    for raster in report.covers:
        if raster.beyond > 1e-4 or raster.holes > 0:
            yield (
                message(
                    "{name}: {beyond} % of the area lies beyond it, {holes} % has no data",
                    name=raster.name,
                    beyond=f"{100 * raster.beyond:.3g}",
                    holes=f"{100 * raster.holes:.3g}",
                )
            )
    if report.covers and all(one.beyond <= 1e-4 and not one.holes for one in report.covers):
        yield (message("Every raster covers the whole area"))
    apart = _apart(report.years)
    if apart is not None:
        oldest, newest = apart
        yield (
            message(
                "Data of {old} ({old_layers}) stand beside data of {new} ({new_layers})",
                old=oldest[0],
                old_layers=", ".join(oldest[1]),
                new=newest[0],
                new_layers=", ".join(newest[1]),
            )
        )


def _apart(years: dict[str, int]) -> tuple[tuple[int, list[str]], tuple[int, list[str]]] | None:
    """Return the oldest and the newest year with their layers, if they are far apart.

    An earlier population is there to be compared with, and what is derived is as
    old as what it is derived from.
    """
    used = {name: year for name, year in years.items() if name != "population_earlier"}
    if not used or max(used.values()) - min(used.values()) <= VINTAGE_YEARS:
        return None
    low, high = min(used.values()), max(used.values())
    return (
        (low, [name for name, year in used.items() if year == low]),
        (high, [name for name, year in used.items() if year == high]),
    )


def _problems(report: QualityReport) -> list[Problem]:
    found = []

    def warn(layer: str, value: Message, expected: Message, column: str | None = None) -> None:
        found.append(Problem(layer, None, column, value, expected, None, "warning"))

    for tiling in report.tilings:
        if tiling.slivers:
            said = message(
                "{name}: {count} slivers between the zones", name=tiling.label, count=tiling.slivers
            )
            warn("zones", said, message("expected neighbours to share one border"), "geometry")
    labels = {tiling.name: tiling.label for tiling in report.tilings}
    for pair in report.outlines:
        reach = max(
            (tiling.area_km2 for tiling in report.tilings if tiling.name == pair.first), default=0.0
        )
        if pair.difference_km2 > 0.005 * reach:
            said = message(
                "the outlines of {first} and {second} differ by {area} km²",
                first=labels[pair.first],
                second=labels[pair.second],
                area=f"{pair.difference_km2:.3g}",
            )
            warn("zones", said, message("expected levels of one outline"), "geometry")
    for column in report.areas:
        if column.largest_km2 > 1.0:
            said = message(
                "the area differs from the computed one by up to {area} km² (zone {code})",
                area=f"{column.largest_km2:.2f}",
                code=column.code,
            )
            warn("zones", said, message("expected the area of the boundary"), column.name)
    for total in report.people:
        named = not total.name.startswith("zones.population (")
        if named and abs(total.ratio - 1.0) > _PEOPLE_SHARE:
            said = message(
                "the raster has {raster} people, {name} {people}",
                raster=f"{total.raster:,.0f}",
                name=total.name,
                people=f"{total.people:,.0f}",
            )
            expected = message(
                "expected a difference of at most {limit} %", limit=round(100 * _PEOPLE_SHARE)
            )
            warn("population", said, expected)
    for code in report.empty_zones:
        said = message("nobody lives in the zone {code} by this raster", code=code)
        warn("population", said, message("expected people in every zone"))
    if report.water is not None:
        for zone in report.water.zones:
            if zone.share > WATER_SHARE:
                said = message(
                    "{share} % of the people of the zone {code} live on water by the land cover",
                    share=f"{100 * zone.share:.1f}",
                    code=zone.code,
                )
                warn("population", said, message("expected people on land"))
    for one in report.strayed:
        said = message(
            "the mast {mast} says {said} and lies in {found}, {distance} m away",
            mast=one.mast_id,
            said=one.said,
            found=one.found or "–",
            distance=f"{one.distance_m:,.0f}",
        )
        warn("masts", said, message("expected a mast in the zone that it names"))
    if report.heights is not None and report.heights.impossible:
        said = message(
            "{count} pixels are higher or deeper than any ground on Earth",
            count=report.heights.impossible,
        )
        warn("terrain", said, message("expected heights in metres above sea level"))
    if report.heights is not None and report.heights.below:
        said = message(
            "{count} pixels lie below {limit} m",
            count=report.heights.below,
            limit=f"{LOWEST_GROUND_M:g}",
        )
        warn("terrain", said, message("expected it only in polders and basins"))
    apart = _apart(report.years)
    if apart is not None:
        (old, old_layers), (new, new_layers) = apart
        said = message(
            "data of {old} ({old_layers}) stand beside data of {new} ({new_layers})",
            old=old,
            old_layers=", ".join(old_layers),
            new=new,
            new_layers=", ".join(new_layers),
        )
        expected = message("expected at most {years} years between them", years=VINTAGE_YEARS)
        warn(old_layers[0], said, expected)
    return found
