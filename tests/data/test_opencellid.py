"""Cells of OpenCelliD: reading true formats, masts from estimated positions, refusals."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from data import schema
from data.errors import InputError
from data.sources import addresses, cell_clusters, download, mobile_networks, opencellid
from data.sources.opencellid import COLUMNS, OpenCellId, read_cells, to_layers
from data.sources.source import Place
from tests.data.source_server import SourceServer

TOKEN = "pk.0123456789abcdef0123"
HA_NAM = Place("Hà Nam, Vietnam", (105.77, 20.36, 106.19, 20.70), country="VNM")
PATH = "/ocid/downloads"


def line(radio="LTE", net=4, area=101, cell=256 * 1000 + 1, lon=105.9, lat=20.5, **other) -> str:
    values = {
        "radio": radio,
        "mcc": 452,
        "net": net,
        "area": area,
        "cell": cell,
        "unit": "",
        "lon": f"{lon:.6f}",
        "lat": f"{lat:.6f}",
        "range": 1000,
        "samples": 12,
        "changeable": 1,
        "created": 1459813819,
        "updated": 1730000000,
        "averageSignal": 0,
    } | other
    return ",".join(str(values[name]) for name in COLUMNS)


def packed(*lines: str) -> bytes:
    return gzip.compress("".join(one + "\n" for one in lines).encode())


def file(folder: Path, *lines: str, name: str = "452.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(packed(*lines))
    return path


def three_sectors(lon=105.9, lat=20.5, e_nodeb=1000, net=4, radio="LTE", area=101) -> list[str]:
    per_site = {"LTE": 256, "GSM": 10, "UMTS": 10, "NR": 4096}[radio]
    return [
        line(
            radio,
            net,
            area,
            e_nodeb * per_site + k + 1,
            lon + 0.004 * np.sin(np.radians(10 + 120 * k)) / np.cos(np.radians(lat)),
            lat + 0.004 * np.cos(np.radians(10 + 120 * k)),
        )
        for k in range(3)
    ]


@pytest.fixture
def asked(source_server: SourceServer):
    with addresses.using({"opencellid": source_server.url + PATH}):
        yield source_server


def whole(source: OpenCellId, place: Place, folder: Path):
    items = source.find(place)
    fetched = source.fetch(items, place)
    return source.read(fetched, place, folder)


# ------------------------------------------------------------------------------------------
# From the server


def test_the_place_is_built_from_the_server(asked: SourceServer, tmp_path: Path) -> None:
    body = packed(*three_sectors(), *three_sectors(106.0, 20.6, 2000, net=1), line(lon=108.0))
    asked.put(f"{PATH}?type=mcc&file=452.csv.gz&token={TOKEN}", body, "application/gzip")
    reading = whole(OpenCellId(TOKEN), HA_NAM, tmp_path)
    masts, cells = (reading.layers[name].frame for name in ("masts", "cells"))
    stored = schema.validate("masts", masts, crs="EPSG:4326")
    schema.validate("cells", cells, context={"masts": stored})
    assert len(masts) == 2
    assert len(cells) == 6
    assert set(cells["operator"]) == {"Viettel", "MobiFone"}
    assert set(cells["technology"]) == {"4G"}
    assert np.hypot(masts.geometry.x - [105.9, 106.0], masts.geometry.y - [20.5, 20.6]).max() < 2e-4
    assert sorted(cells["azimuth_deg"]) == [10, 10, 130, 130, 250, 250]
    assert masts["n_cells"].tolist() == [3, 3]
    assert masts["last_seen"].tolist() == ["2024-10-27"] * 2
    assert (masts["position_error_m"] > 0).all()
    provenance = reading.layers["masts"].provenance
    assert provenance.licence == "CC BY-SA 4.0"
    assert provenance.vintage == "cells last heard until 2024-10-27"
    for said in ("eNodeB", "convention", "median", "height 30 m", "150 m", "azimuth", "NR 3500"):
        assert said in provenance.method
    assert not provenance.illustrative


def test_the_token_is_nowhere(
    asked: SourceServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked.put(PATH, packed(*three_sectors()))
    source = OpenCellId(TOKEN)
    items = source.find(HA_NAM)
    fetched = source.fetch(items, HA_NAM)
    reading = source.read(fetched, HA_NAM, tmp_path)
    kept = "".join(
        str(path) + path.read_bytes().decode("latin-1")
        for path in download.cache_folder().rglob("*")
        if path.is_file()
    )
    said = repr((source, items, fetched, reading.layers["masts"].provenance, caplog.text))
    assert TOKEN not in kept + said
    assert f"token={TOKEN}" in asked.requests[-1].path
    # A copy in the cache needs neither token nor server.
    count = len(asked.requests)
    assert OpenCellId("").fetch(items, HA_NAM)[0].sha256 == fetched[0].sha256
    assert len(asked.requests) == count
    assert source.size_up(items)[0].size_bytes == fetched[0].path.stat().st_size


def test_a_token_is_needed(asked: SourceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(opencellid.TOKEN_VARIABLE, raising=False)
    source = OpenCellId()
    with pytest.raises(InputError, match=r"needs a token of your own.*PHUSONG_OPENCELLID_TOKEN"):
        source.fetch(source.find(HA_NAM), HA_NAM)
    assert not asked.requests
    monkeypatch.setenv(opencellid.TOKEN_VARIABLE, TOKEN)
    asked.put(PATH, packed(line()))
    assert source.fetch(source.find(HA_NAM), HA_NAM)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            {"what": "json", "body": b'{"status":"error","message":"INVALID_TOKEN"}'},
            "does not know the token; check the environment variable PHUSONG_OPENCELLID_TOKEN",
        ),
        (
            {"what": "json", "body": b'{"status":"error","message":"RATE_LIMITED"}'},
            "downloads of today are used up; try again tomorrow",
        ),
        ({"what": 429, "retry_after": "86400"}, "downloads of today are used up"),
        ({"what": 429}, "downloads of today are used up"),
        (
            {"what": "json", "body": b'{"status":"error","message":"Bad file"}'},
            "refuses the download: Bad file",
        ),
        ({"what": "html"}, "sent a web page"),
        ({"what": 404}, "there is no file"),
        ({"what": 500}, "fault of its own"),
        ({"what": "drop"}, "broke off"),
    ],
)
def test_refusals_are_sentences_without_the_token(asked: SourceServer, fault, said: str) -> None:
    asked.put(PATH, packed(line()))
    asked.fail(PATH, times=99, **fault)
    source = OpenCellId(TOKEN)
    with pytest.raises(InputError, match=said) as caught:
        source.fetch(source.find(HA_NAM), HA_NAM)
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not list(download.cache_folder().rglob("*.csv.gz"))


def test_a_refusal_keeps_the_older_copy(asked: SourceServer, monkeypatch) -> None:
    asked.put(PATH, packed(line()))
    source = OpenCellId(TOKEN)
    items = source.find(HA_NAM)
    first = source.fetch(items, HA_NAM)[0]
    monkeypatch.setattr(opencellid, "_MAX_AGE_S", 0.0)
    asked.fail(PATH, 429, times=99)
    with pytest.raises(InputError, match="used up"):
        source.fetch(items, HA_NAM)
    assert first.path.read_bytes() == packed(line())


def test_a_country_may_have_several_codes_and_must_be_known() -> None:
    britain = Place("Kent", (0.0, 51.0, 1.0, 52.0), country="GBR")
    assert [item.key for item in OpenCellId().find(britain)] == ["234.csv.gz", "235.csv.gz"]
    with pytest.raises(InputError, match="country of the place is not known"):
        OpenCellId().find(Place("?", (0.0, 0.0, 1.0, 1.0)))
    with pytest.raises(InputError, match="no country XXX"):
        OpenCellId().find(Place("?", (0.0, 0.0, 1.0, 1.0), country="XXX"))


# ------------------------------------------------------------------------------------------
# Files


def test_files_with_a_header_and_of_mozilla(tmp_path: Path) -> None:
    header = ",".join(COLUMNS)
    plain = tmp_path / "MLS-full-cell-export-2024-03-01T000000.csv"
    plain.write_text("\n".join([header, *three_sectors(radio="UMTS")]) + "\n", encoding="utf-8")
    source = OpenCellId(files=(plain,))
    reading = whole(source, HA_NAM, tmp_path)
    assert reading.layers["masts"].provenance.licence == "CC0 1.0"
    assert reading.layers["masts"].provenance.source == "Mozilla Location Service"
    assert len(reading.layers["cells"].frame) == 3
    diff = file(tmp_path, header, *three_sectors(), name="OCID-diff-cell-export-2026-11-01.csv.gz")
    assert len(read_cells([plain, diff], HA_NAM.bounds).frame) == 6
    with pytest.raises(InputError, match="There is no file"):
        whole(OpenCellId(files=(tmp_path / "none.csv",)), HA_NAM, tmp_path)


def test_masts_only(tmp_path: Path) -> None:
    source = OpenCellId(files=(file(tmp_path, *three_sectors()),), masts_only=True)
    assert source.gives == ("masts",)
    assert set(whole(source, HA_NAM, tmp_path).layers) == {"masts"}


def test_bad_rows_are_left_out_and_named(tmp_path: Path) -> None:
    lines = [
        line(),
        line(cell=256 * 1000 + 2),
        line(lat=95.0, cell=1),
        line(radio="WIMAX", cell=2),
        line(area=-1, cell=3),
        line(cell=-7),
        line(cell=268435455),
        "LTE,452,4,101",
        line(lon=105.91, cell=256 * 1000 + 3, updated=0),
        line(samples=-4, cell=4),
        line(mcc="x", cell=5),
        line(cell="7.5"),
        line(radio="NR", cell=68719476000, area=10_000_000),
        line(radio="cdma", net=13000, cell=99),
    ]
    cells = read_cells([file(tmp_path, *lines)], HA_NAM.bounds)
    assert sorted(cells.frame["radio"]) == ["CDMA", "LTE", "LTE", "LTE", "NR"]
    said = "\n".join(cells.notes)
    assert "1 rows left out: no longitude and latitude on Earth (first: row 3)" in said
    assert "1 rows left out: no radio GSM, UMTS, LTE, NR or CDMA (first: row 4)" in said
    assert "1 rows left out: no area code (first: row 5)" in said
    assert "2 rows left out: no cell identity of its radio (first: row 6)" in said
    assert "1 rows left out: not 14 values (first: row 8)" in said
    assert "a negative range or number of samples (first: row 10)" in said
    assert "no mobile country code (first: row 11)" in said
    assert "fractions where whole numbers belong (first: row 12)" in said
    frames, notes = to_layers(cells.frame, HA_NAM.bounds)
    assert len(frames["cells"]) == 4
    assert notes == ("1 CDMA cells were left out: no generation of this plan is CDMA",)
    assert frames["cells"]["last_seen"].isna().sum() == 1


def test_of_rows_with_one_identity_the_newest_is_kept(tmp_path: Path) -> None:
    lines = [line(updated=300, lon=105.93), line(updated=900, lon=105.95), line(updated=600)]
    cells = read_cells([file(tmp_path, *lines)], HA_NAM.bounds)
    assert cells.frame["lon"].tolist() == [105.95]
    assert "2 rows of OpenCelliD repeat a cell" in cells.notes[0]


def test_an_empty_country_and_a_place_without_cells(tmp_path: Path) -> None:
    empty = OpenCellId(files=(file(tmp_path),))
    reading = whole(empty, HA_NAM, tmp_path)
    assert not reading.layers
    assert "452.csv.gz: the file has no cell" in reading.notes
    elsewhere = OpenCellId(files=(file(tmp_path, line(lon=100.0)),))
    reading = whole(elsewhere, HA_NAM, tmp_path)
    assert not reading.layers
    assert reading.notes == ("OpenCelliD knows no cell in Hà Nam, Vietnam",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (packed(*[line(cell=k) for k in range(2000)])[:4000], "damaged or cut off"),
        (b"\x1f\x8b" + b"\0" * 50, "damaged or cut off"),
        (packed(line())[:-12] + b"\0" * 12, "damaged or cut off"),
        (b"<!doctype html><html></html>", "is no table of cells"),
        (b'{"status":"error","message":"INVALID_TOKEN"}', "does not know the token"),
        (b"radio,lon,lat\nLTE,1,2\n", "the columns are radio, lon, lat"),
        (b"just a text\nof some lines\n", "is no table of cells"),
        (b"PK\x03\x04" + bytes(range(256)), "is no table of cells"),
    ],
)
def test_damaged_and_other_files_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "452.csv.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_cells([path], HA_NAM.bounds)


def test_pieces_give_what_the_whole_gives(tmp_path: Path, monkeypatch) -> None:
    lines = [line(cell=256 * k + 1, lon=105.8 + 0.0001 * k) for k in range(3000)]
    lines[2000] = "short,line"
    path = file(tmp_path, *lines)
    once = read_cells([path], HA_NAM.bounds)
    shares: list[float] = []
    monkeypatch.setattr(opencellid, "_BLOCK_BYTES", 4096)
    pieces = read_cells([path], HA_NAM.bounds, on_progress=shares.append)
    pd.testing.assert_frame_equal(once.frame, pieces.frame)
    assert once.notes == pieces.notes
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_cancelling_stops_the_reading(tmp_path: Path) -> None:
    def stop(_share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_cells([file(tmp_path, line())], HA_NAM.bounds, on_progress=stop)


def test_across_the_antimeridian(tmp_path: Path) -> None:
    taveuni = Place("Taveuni", (179.8, -17.1, 180.2, -16.7), country="FJI")
    lines = [
        one.replace("452,", "542,", 1)
        for one in (
            *three_sectors(179.999, -16.9, 1),
            *three_sectors(-179.95, -16.9, 2),
            line(lon=0.0, lat=-16.9, cell=9),
        )
    ]
    lines = [one if "180." not in one else one.replace("180.", "-179.") for one in lines]
    reading = whole(OpenCellId(files=(file(tmp_path, *lines),)), taveuni, tmp_path)
    masts = reading.layers["masts"].frame
    assert len(masts) == 2
    assert masts.geometry.x.between(-180, 180).all()
    assert sorted(masts.geometry.x.round(2)) == [-179.95, 180.0]


# ------------------------------------------------------------------------------------------
# What is assumed


def test_bands_follow_the_network_and_unknown_networks_keep_their_codes(tmp_path: Path) -> None:
    lines = [
        line("GSM", 7, cell=11),
        line("GSM", 4, cell=11),
        line("NR", 4, cell=4097),
        line("LTE", 77, cell=257),
    ]
    cells = read_cells([file(tmp_path, *lines)], HA_NAM.bounds)
    frames, _ = to_layers(cells.frame, HA_NAM.bounds)
    table = frames["cells"].set_index(["operator", "technology"])
    assert table["band"].to_dict() == {
        ("Gmobile", "2G"): "GSM 1800",
        ("Viettel", "2G"): "GSM 900",
        ("Viettel", "5G"): "NR 2600",
        ("452-77", "4G"): "LTE 1800",
    }
    assert table["azimuth_deg"].isna().all()
    names = [name.strip() for name in table["assumed"].iloc[0].split(",")]
    assert set(names) <= set(schema.CELLS.columns)
    assert set(frames["masts"]["assumed"].iloc[0].split(", ")) <= set(schema.MASTS.columns)


def test_operators_on_one_spot_are_one_shared_mast(tmp_path: Path) -> None:
    lines = [
        *three_sectors(e_nodeb=1000, net=4),
        *three_sectors(e_nodeb=70, net=4, radio="GSM"),
        *three_sectors(105.9002, e_nodeb=555, net=1),
        *three_sectors(106.1, e_nodeb=777, net=1),
    ]
    cells = read_cells([file(tmp_path, *lines)], HA_NAM.bounds)
    masts = to_layers(cells.frame, HA_NAM.bounds)[0]["masts"]
    assert masts["operators"].tolist() == ["MobiFone; Viettel", "MobiFone"]
    assert masts["shared"].tolist() == masts["shareable"].tolist() == [True, False]
    assert masts["n_cells"].tolist() == [9, 3]


def test_every_country_and_network_of_the_tables_reads() -> None:
    assert mobile_networks.country_codes("USA") == [310, 311, 312, 313, 314, 315, 316]
    assert mobile_networks.alpha_2("vnm") == "VN"
    assert mobile_networks.network(457, 3).operator == "Unitel"
    known = mobile_networks._networks().values()
    bands = {band for network in known for band in network.bands}
    assert bands & set(opencellid.CARRIERS)
    assert all(band.split(" ")[0] in opencellid.DEFAULT_BANDS for band in bands)


# ------------------------------------------------------------------------------------------
# Masts from cells


def network(rng: np.random.Generator, *, size_m=30_000.0, count=500, gross=0.03, few=True):
    """Masts of three operators and their cells as phones would have placed them.

    A cell lies a quarter to three fifths of its reach in front of its antenna, and
    errs by half its reach over the root of its samples; `gross` of them lie anywhere.
    """
    masts = np.empty((0, 2))
    while len(masts) < count:
        more = np.vstack([masts, rng.uniform(0.0, size_m, (count, 2))])
        near = cKDTree(more).query_pairs(500.0, output_type="ndarray")
        masts = np.delete(more, near.max(axis=1) if len(near) else [], axis=0)[:count]
    rows, truth = [], []
    for operator in range(3):
        used = np.flatnonzero((np.arange(count) % 3 == operator) | (rng.random(count) < 0.15))
        truth.append(masts[used])
        for site, mast in enumerate(used):
            turn = rng.uniform(0.0, 120.0)
            for generation, radio in enumerate(("GSM", "UMTS", "LTE")):
                if generation and rng.random() < 0.15:
                    continue
                reach = rng.uniform(500.0, 1500.0)
                for k in range(3):
                    samples = int(np.clip(rng.lognormal(2.2, 1.5), 1, 5000)) if few else 5000
                    to = turn + 120.0 * k
                    off = reach * rng.uniform(0.25, 0.6)
                    x = masts[mast, 0] + off * np.sin(np.radians(to))
                    y = masts[mast, 1] + off * np.cos(np.radians(to))
                    x, y = rng.normal(
                        (x, y), 0.35 * reach / np.sqrt(samples) + (20.0 if few else 0)
                    )
                    if rng.random() < gross:
                        x, y = rng.uniform(0.0, size_m, 2)
                    per_site = 256 if radio == "LTE" else 10
                    cell = (site + 1) * per_site + k + 1
                    rows.append((x, y, operator, generation, radio, cell, samples, reach, to, mast))
    names = ("x", "y", "operator", "generation", "radio", "cell", "samples", "reach", "to", "mast")
    return masts, truth, pd.DataFrame(rows, columns=list(names))


def found(cells: pd.DataFrame) -> cell_clusters.Masts:
    parts = cell_clusters.site_parts(
        cells["radio"].to_numpy(str),
        np.full(len(cells), 101),
        cells["cell"].to_numpy(np.int64),
    )
    keys = cells[["operator", "generation"]].assign(a=parts[:, 0], b=parts[:, 1])
    return cell_clusters.find_masts(
        cells["x"].to_numpy(),
        cells["y"].to_numpy(),
        operator=cells["operator"].to_numpy(np.int64),
        generation=cells["generation"].to_numpy(np.int64),
        site=keys.groupby(list(keys), sort=True).ngroup().to_numpy(np.int64),
        weight=cell_clusters.weights(
            cells["samples"].to_numpy(np.int64), np.zeros(len(cells), bool)
        ),
        reach_m=cells["reach"].to_numpy(),
    )


def nearest(masts: cell_clusters.Masts, cells: pd.DataFrame, truth: list[np.ndarray]):
    """Distance and claimed error of the mast found nearest to each true one, by operator."""
    distance, error = [], []
    for operator, true in enumerate(truth):
        ids = np.unique(masts.mast[(cells["operator"] == operator).to_numpy()])
        d, k = cKDTree(np.column_stack([masts.x_m[ids], masts.y_m[ids]])).query(true)
        distance.append(d)
        error.append(masts.error_m[ids][k])
    return np.concatenate(distance), np.concatenate(error)


@pytest.mark.parametrize("seed", [1, 2])
def test_most_masts_are_found_and_their_error_is_honest(seed: int) -> None:
    _, truth, cells = network(np.random.default_rng(seed))
    masts = found(cells)
    distance, error = nearest(masts, cells, truth)
    assert (distance < 350.0).mean() > 0.85
    assert np.median(distance) < 180.0
    # Better than what the cells themselves say of where the mast is.
    assert np.median(distance) < 0.5 * np.median(0.425 * cells["reach"])
    inner = distance < 500.0
    assert 0.6 < (distance < error)[inner].mean() < 0.9
    assert (distance < 2.0 * error)[inner].mean() > 0.95
    # Masts with fewer than three cells are mostly gross errors and cells left over.
    size = np.bincount(masts.mast)
    true_count = sum(map(len, truth))
    large = size[masts.mast] >= 3
    found_by_operator = pd.DataFrame({"mast": masts.mast, "who": cells["operator"]})[large]
    by_operator = len(found_by_operator.drop_duplicates())
    assert 0.9 * true_count < by_operator < 1.4 * true_count


def test_many_samples_and_whole_sites_give_the_masts_back() -> None:
    rng = np.random.default_rng(3)
    true, truth, cells = network(rng, gross=0.0, few=False, count=200)
    masts = found(cells)
    distance, _ = nearest(masts, cells, truth)
    assert np.median(distance) < 15.0
    assert (distance < 60.0).mean() > 0.95
    assert abs(len(masts.x_m) - len(true)) <= 0.05 * len(true)
    # Nothing of two masts is in one.
    assert cells.groupby(masts.mast)["mast"].nunique().eq(1).mean() > 0.97
    carrier = (cells["operator"] * 8 + cells["generation"]).to_numpy(np.int64)
    azimuth = cell_clusters.sector_azimuths(
        masts, cells["x"].to_numpy(), cells["y"].to_numpy(), carrier
    )
    off = np.abs((azimuth - cells["to"].to_numpy() + 180.0) % 360.0 - 180.0)
    assert np.isfinite(azimuth).mean() > 0.98
    assert np.nanmedian(off) < 3.0


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _, _, cells = network(rng, count=12, size_m=4000.0)
    # Ties: cells on one spot, and repeated rows without any site.
    cells.loc[:5, ["x", "y"]] = 1000.0
    order = rng.permutation(len(cells))
    one, other = found(cells), found(cells.iloc[order].reset_index(drop=True))
    np.testing.assert_array_equal(one.mast[order], other.mast)
    for name in ("x_m", "y_m", "error_m"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_layers_do_not_depend_on_the_order_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, random
) -> None:
    lines = [*three_sectors(), *three_sectors(105.9003, 20.5, 70, radio="GSM"), line(cell=5)]
    lines += [*three_sectors(105.95, 20.55, 9, net=2), line(lon=105.95, cell=5, updated=5)]
    mixed = list(lines)
    random.shuffle(mixed)
    folder = tmp_path_factory.mktemp("order")
    one = to_layers(read_cells([file(folder, *lines)], HA_NAM.bounds).frame, HA_NAM.bounds)[0]
    two = to_layers(read_cells([file(folder, *mixed)], HA_NAM.bounds).frame, HA_NAM.bounds)[0]
    for name in ("masts", "cells"):
        pd.testing.assert_frame_equal(pd.DataFrame(one[name]), pd.DataFrame(two[name]))


def test_the_median_resists_a_gross_error_where_a_mean_does_not() -> None:
    x = np.array([0.0, 100.0, 50.0, 50.0, 20_000.0])
    y = np.array([0.0, 0.0, 80.0, -80.0, 0.0])
    group = np.zeros(5, np.int64)
    centre_x, centre_y = cell_clusters.geometric_medians(group, x, y, np.ones(5), 1)
    assert np.hypot(centre_x[0] - 50.0, centre_y[0]) < 60.0
    assert x.mean() > 4000.0


def test_site_parts_follow_the_stated_rules() -> None:
    radio = np.array(["LTE", "LTE", "GSM", "UMTS", "UMTS", "NR", "CDMA"])
    cell = np.array([256 * 7 + 1, 256 * 7 + 255, 123, (5 << 16) + 123, (5 << 16) + 129, 4097, 12])
    parts = cell_clusters.site_parts(radio, np.full(7, 9), cell)
    assert parts.tolist() == [
        [0, 7],
        [0, 7],
        [9, 12],
        [9, 5 * 65536 + 12],
        [9, 5 * 65536 + 12],
        [0, 1],
        [-1, -1],
    ]


def test_a_position_of_the_operator_decides() -> None:
    masts = cell_clusters.find_masts(
        np.array([0.0, 400.0, 800.0]),
        np.zeros(3),
        operator=np.zeros(3, np.int64),
        generation=np.zeros(3, np.int64),
        site=np.zeros(3, np.int64),
        weight=cell_clusters.weights(np.full(3, 50), np.array([False, False, True])),
        reach_m=np.full(3, 900.0),
    )
    assert masts.x_m[0] == pytest.approx(800.0, abs=15.0)
    assert masts.error_m[0] == cell_clusters.MIN_ERROR_M


def test_no_cells_give_no_masts() -> None:
    nothing = np.empty(0)
    none = np.empty(0, np.int64)
    masts = cell_clusters.find_masts(
        nothing,
        nothing,
        operator=none,
        generation=none,
        site=none,
        weight=nothing,
        reach_m=nothing,
    )
    assert len(masts.mast) == len(masts.x_m) == 0


def test_thousands_of_cells_on_one_spot_are_one_mast() -> None:
    count = 20_000
    masts = cell_clusters.find_masts(
        np.zeros(count),
        np.zeros(count),
        operator=np.zeros(count, np.int64),
        generation=np.zeros(count, np.int64),
        site=np.arange(count),
        weight=np.ones(count),
        reach_m=np.full(count, 500.0),
    )
    assert len(masts.x_m) == 1
