"""Who runs a mobile network, and which country a network code belongs to.

`mobile_networks.csv` has the networks of Vietnam, its neighbours and Thailand;
`mobile_countries.csv` has the mobile country codes of all countries. Both were
taken from the list `mcc-mnc-list` 1.1.11 of pbakondy (MIT licence), which follows
the public table of network codes kept by Wikipedia, as of August 2023. The names
of Vietnamese networks are those in use today (Reddi has become Wintel); MobiFone's
LTE 1800 and the 5G bands auctioned in 2024 have been added. The band that a network
has mainly on its masts stands first of its kind.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data.errors import InputError

_FOLDER = Path(__file__).parent
_NETWORKS_FILE = _FOLDER / "mobile_networks.csv"
_COUNTRIES_FILE = _FOLDER / "mobile_countries.csv"

#: Where the tables come from, for the provenance.
SOURCE = "mcc-mnc-list 1.1.11 (github.com/pbakondy/mcc-mnc-list, MIT), August 2023"


@dataclass(frozen=True)
class Network:
    """A public mobile network.

    Parameters
    ----------
    mcc, mnc
        Mobile country code and mobile network code as numbers.
    operator
        Name that customers know.
    bands
        Bands that the public table lists, e.g. ``("GSM 900", "LTE 1800")``; may be
        empty.
    """

    mcc: int
    mnc: int
    operator: str
    bands: tuple[str, ...] = ()


@cache
def _networks() -> dict[tuple[int, int], Network]:
    with _NETWORKS_FILE.open(encoding="utf-8", newline="") as stream:
        return {
            (int(row["mcc"]), int(row["mnc"])): Network(
                int(row["mcc"]),
                int(row["mnc"]),
                row["operator"],
                tuple(band.strip() for band in row["bands"].split("/") if band.strip()),
            )
            for row in csv.DictReader(stream)
        }


@cache
def _countries() -> tuple[dict[str, str], ...]:
    with _COUNTRIES_FILE.open(encoding="utf-8", newline="") as stream:
        return tuple(csv.DictReader(stream))


def network(mcc: int, mnc: int) -> Network:
    """Return a network, also one that is not in the table.

    Parameters
    ----------
    mcc, mnc
        Mobile country code and mobile network code.

    Returns
    -------
    Network
        One that is not known is named by its codes.

    Examples
    --------
    >>> network(452, 4).operator, network(452, 77).operator
    ('Viettel', '452-77')
    """
    known = _networks().get((mcc, mnc))
    return known if known is not None else Network(mcc, mnc, f"{mcc:03d}-{mnc:02d}")


def country_codes(country: str) -> list[int]:
    """Return the mobile country codes of a country.

    Parameters
    ----------
    country
        ISO 3166-1 alpha-3 code.

    Returns
    -------
    list of int
        At least one.

    Raises
    ------
    InputError
        If the country is not in the table.

    Examples
    --------
    >>> country_codes("VNM"), country_codes("GBR")
    ([452], [234, 235])
    """
    codes = [int(row["mcc"]) for row in _countries() if row["country"] == country.upper()]
    if not codes:
        raise _no_country(country)
    return codes


def alpha_2(country: str) -> str:
    """Return the two-letter code of a country.

    Parameters
    ----------
    country
        ISO 3166-1 alpha-3 code.

    Returns
    -------
    str
        ISO 3166-1 alpha-2 code.

    Raises
    ------
    InputError
        If the country is not in the table.

    Examples
    --------
    >>> alpha_2("VNM")
    'VN'
    """
    for row in _countries():
        if row["country"] == country.upper():
            return row["alpha_2"]
    raise _no_country(country)


def _no_country(country: str) -> InputError:
    if not country:
        return InputError(
            "The country of the place is not known; give it as three letters, e.g. VNM"
        )
    return InputError(
        "There is no country {country} in the table of mobile countries (expected three "
        "letters, e.g. VNM)",
        country=country,
    )
