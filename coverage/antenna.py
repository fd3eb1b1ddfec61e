"""Antenna patterns: attenuation relative to the main beam, by direction."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError
from data.importers import antenna_pattern
from data.importers.antenna_pattern import PatternFile

#: Steps per full circle of the tables that the compiled code looks up.
STEPS = 1440


@dataclass(frozen=True, eq=False)
class Pattern:
    """Attenuation of an antenna in the two principal planes.

    Parameters
    ----------
    name
        Name, as the column `pattern` of the cells gives it.
    horizontal_db
        Attenuation by angle from the azimuth of the main beam, clockwise from 0 to
        360 degrees in equal steps, 0 or positive. [dB]
    vertical_db
        Attenuation by angle below the main beam from 0 to 360 degrees in equal
        steps (270 is straight above), 0 or positive. [dB]
    max_attenuation_db
        Bound of the sum of the two. [dB]
    reference
        Where the pattern comes from.
    """

    name: str
    horizontal_db: NDArray[np.float64]
    vertical_db: NDArray[np.float64]
    max_attenuation_db: float
    reference: str


def _offset_deg(steps: int) -> NDArray[np.float64]:
    angle = np.arange(steps, dtype=np.float64) * (360.0 / steps)
    return (angle + 180.0) % 360.0 - 180.0


def parabolic_pattern(
    name: str,
    *,
    horizontal_beamwidth_deg: float = 70.0,
    vertical_beamwidth_deg: float = 10.0,
    front_to_back_db: float = 25.0,
    side_lobe_db: float = 20.0,
) -> Pattern:
    """Build the 3GPP parabolic sector pattern.

    Parameters
    ----------
    name
        Name of the pattern.
    horizontal_beamwidth_deg, vertical_beamwidth_deg
        Half-power beam widths. [degrees]
    front_to_back_db
        A_m, the bound of the horizontal and of the total attenuation. [dB]
    side_lobe_db
        SLA_v, the bound of the vertical attenuation. [dB]

    Returns
    -------
    Pattern
        The pattern.

    References
    ----------
    3GPP TR 36.814 V9.2.0, table A.2.1.1-2 (3-sector pattern).
    """
    offset = _offset_deg(STEPS)
    return Pattern(
        name,
        np.minimum(12.0 * (offset / horizontal_beamwidth_deg) ** 2, front_to_back_db),
        np.minimum(12.0 * (offset / vertical_beamwidth_deg) ** 2, side_lobe_db),
        front_to_back_db,
        "3GPP TR 36.814, table A.2.1.1-2",
    )


def omni_pattern(name: str = "omni", *, vertical_beamwidth_deg: float = 10.0) -> Pattern:
    """Build a pattern that is the same at all azimuths.

    Parameters
    ----------
    name
        Name of the pattern.
    vertical_beamwidth_deg
        Half-power beam width of the collinear array. [degrees]

    Returns
    -------
    Pattern
        The pattern; its vertical plane is that of `parabolic_pattern`.
    """
    sector = parabolic_pattern(name, vertical_beamwidth_deg=vertical_beamwidth_deg)
    return Pattern(
        name,
        np.zeros(STEPS),
        sector.vertical_db,
        sector.max_attenuation_db,
        "no horizontal directivity; vertical plane as 3GPP TR 36.814, table A.2.1.1-2",
    )


@cache
def built_in_patterns() -> dict[str, Pattern]:
    """Return the patterns that a cell may name without a pattern file.

    Returns
    -------
    dict
        Name -> `Pattern`.
    """
    patterns = [
        parabolic_pattern("3gpp-70"),
        parabolic_pattern("3gpp-65", horizontal_beamwidth_deg=65.0),
        parabolic_pattern("3gpp-33", horizontal_beamwidth_deg=33.0),
        omni_pattern(),
    ]
    return {pattern.name: pattern for pattern in patterns}


#: Pattern of a cell that names none, with and without an azimuth.
DEFAULT_SECTOR = "3gpp-65"
DEFAULT_OMNI = "omni"


def pattern_by_name(
    name: str | None, *, has_azimuth: bool, own: dict[str, Pattern] | None = None
) -> Pattern:
    """Return the pattern of a cell.

    Parameters
    ----------
    name
        What the cell says; None, NaN or empty for the default.
    has_azimuth
        Whether the cell points somewhere; an omni cell does not.
    own
        Patterns read from files, by name.

    Returns
    -------
    Pattern
        The pattern.

    Raises
    ------
    InputError
        If the pattern is not known.
    """
    known = built_in_patterns() | (own or {})
    # A missing value of a text column is NaN.
    given = name if isinstance(name, str) else ""
    wanted = given or (DEFAULT_SECTOR if has_azimuth else DEFAULT_OMNI)
    if wanted not in known:
        raise InputError(
            "Antenna pattern {value} is not known (expected one of {expected})",
            value=wanted,
            expected=", ".join(sorted(known)),
        )
    return known[wanted]


def resample(values_db: NDArray[np.float64], steps: int = STEPS) -> NDArray[np.float64]:
    """Return a pattern cut with `steps` equal steps, linearly between the given ones.

    Parameters
    ----------
    values_db
        Attenuation from 0 to 360 degrees in equal steps. [dB]
    steps
        Number of steps wanted.

    Returns
    -------
    numpy.ndarray
        Attenuation, length `steps`. [dB]
    """
    given = np.arange(len(values_db) + 1) * (360.0 / len(values_db))
    wanted = np.arange(steps) * (360.0 / steps)
    return np.interp(wanted, given, np.append(values_db, values_db[0]))


@lru_cache(maxsize=1024)
def tables(pattern: Pattern) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both cuts of a pattern in `STEPS` steps, for the compiled code.

    Parameters
    ----------
    pattern
        The pattern.

    Returns
    -------
    horizontal_db, vertical_db
        Length `STEPS`; not to be changed. [dB]
    """
    return resample(pattern.horizontal_db), resample(pattern.vertical_db)


@lru_cache(maxsize=1024)
def digest(pattern: Pattern) -> str:
    """Return a hash of a pattern's values, for the keys of results.

    Parameters
    ----------
    pattern
        The pattern.

    Returns
    -------
    str
        In hexadecimal; the same for patterns that attenuate alike.
    """
    horizontal, vertical = tables(pattern)
    content = horizontal.tobytes() + vertical.tobytes()
    return hashlib.sha256(content + repr(pattern.max_attenuation_db).encode()).hexdigest()


def attenuation_db(
    pattern: Pattern, azimuth_offset_deg: NDArray[np.float64], below_beam_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the attenuation towards given directions.

    Parameters
    ----------
    pattern
        The pattern.
    azimuth_offset_deg
        Direction minus the azimuth of the main beam. [degrees]
    below_beam_deg
        Angle of the direction below the horizon minus the downtilt. [degrees]

    Returns
    -------
    numpy.ndarray
        Attenuation, 0 or positive. [dB]
    """
    horizontal, vertical = tables(pattern)
    at = np.arange(STEPS + 1) * (360.0 / STEPS)
    in_plane = np.interp(
        np.mod(azimuth_offset_deg, 360.0), at, np.append(horizontal, horizontal[0])
    )
    across = np.interp(np.mod(below_beam_deg, 360.0), at, np.append(vertical, vertical[0]))
    return np.minimum(in_plane + across, pattern.max_attenuation_db)


def from_file_pattern(file: PatternFile) -> Pattern:
    """Bring a pattern file into the form that cells use.

    A cell's tilt says where the main lobe points, so the vertical cut is turned
    until the main lobe lies at 0, whatever electrical tilt the file was measured
    with. What the horizontal cut attenuates all round, because it was measured
    on the horizon and the lobe points below it, is taken off: the vertical cut
    has it already.

    Parameters
    ----------
    file
        The file.

    Returns
    -------
    Pattern
        The pattern; the sum of both cuts is bounded by the greatest attenuation
        of either.
    """
    horizontal = file.horizontal_db - file.horizontal_db.min()
    vertical = file.vertical_db - file.vertical_db.min()
    given = np.arange(len(vertical) + 1) * (360.0 / len(vertical))
    wanted = np.arange(STEPS) * (360.0 / STEPS)
    turned = np.interp(
        np.mod(wanted + file.main_lobe_deg, 360.0), given, np.append(vertical, vertical[0])
    )
    return Pattern(
        file.name,
        horizontal,
        turned - turned.min(),
        float(max(horizontal.max(), turned.max())),
        f"antenna pattern file {file.name}",
    )


def patterns_of_folder(folder: Path) -> dict[str, Pattern]:
    """Return the patterns that the cells of a workspace may name.

    Parameters
    ----------
    folder
        Folder of `.msi` and `.pln` files; may be absent.

    Returns
    -------
    dict
        Pattern by the antenna's name and by the file's name without its suffix.

    Raises
    ------
    InputError
        If a file cannot be read or two files give the same name.
    """
    # Read once for each state of the folder: every look-up of a result asks for them.
    state = []
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            status = path.stat()
            state.append((path.name, status.st_mtime_ns, status.st_size))
    return dict(_patterns_of_state(folder, tuple(state)))


@lru_cache(maxsize=16)
def _patterns_of_state(folder: Path, _: tuple[tuple[str, int, int], ...]) -> dict[str, Pattern]:
    files = antenna_pattern.read_folder(folder)
    made: dict[int, Pattern] = {}
    # A file goes by two names, but is one pattern.
    return {name: made.setdefault(id(f), from_file_pattern(f)) for name, f in files.items()}
