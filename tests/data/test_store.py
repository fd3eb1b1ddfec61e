"""A workspace gives back what was put in, and never half of it."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import unicodedata
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rasterio.warp import transform_bounds
from rio_cogeo.cogeo import cog_validate

from data import store
from data.errors import InputError, ValidationError
from data.grid import Grid, Raster
from data.store import Provenance, StudyAreaInfo, Workspace
from tests.data import samples
from tests.data.samples import CRS, REAL, X, Y
from tests.vectors import ROOT


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return samples.workspace(tmp_path / "vùng")


def files_of(workspace: Workspace) -> list[str]:
    return sorted(
        str(path.relative_to(workspace.folder))
        for path in workspace.folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    )


# Layers


def test_layers_come_back_as_they_were_put_in(workspace: Workspace) -> None:
    opened = Workspace.open(workspace.folder)
    assert opened.layers() == ["zones", "masts", "cells", "villages", "roads"]
    assert opened.rasters() == ["terrain", "clutter", "population"]
    for name in samples.IN_WORKSPACE:
        given_frame, frame = samples.LAYERS[name](), opened.read(name)
        for column in set(given_frame.columns) - {"geometry"}:
            left, right = frame[column], given_frame[column]
            assert (left.isna() == right.isna()).all(), column
            assert (left[left.notna()] == right[right.notna()]).all(), column
        if isinstance(given_frame, gpd.GeoDataFrame):
            assert frame.crs == CRS
            same = shapely.equals(frame.geometry.to_numpy(), given_frame.geometry.to_numpy())
            assert same.all()
    assert opened.read("masts")["shareable"].dtype == bool
    assert opened.area == samples.AREA
    assert opened.provenance()["masts"] == REAL


vietnamese = st.text(
    st.one_of(
        st.sampled_from("ăâđêôơưẮẰẲẴẶỨỪỬỮỰỳỵỷỹ'\";,\n"),
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"),
    ),
    min_size=1,
    max_size=20,
)


# Shrinking would write to the disk hundreds of times.
@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    rows=st.lists(
        st.tuples(
            vietnamese,
            st.one_of(st.none(), vietnamese),
            st.floats(0.1, 1000.0),
            st.booleans(),
            st.one_of(st.none(), st.integers(1, 100)),
            st.floats(-1e5, 1e6),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_text_and_number_survives_the_database(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[object, ...]]
) -> None:
    columns = ["mast_id", "ghi chú", "height_m", "shareable", "max_tenants", "x"]
    frame = pd.DataFrame(rows, columns=columns)
    frame["mast_id"] = [f"{k}{text}" for k, text in enumerate(frame["mast_id"])]
    points = gpd.points_from_xy(frame["x"], frame["x"])
    masts = gpd.GeoDataFrame(frame.drop(columns="x"), geometry=points, crs=CRS)
    workspace = Workspace.create(tmp_path_factory.mktemp("w"), samples.AREA)
    workspace.write({"masts": masts}, {"masts": REAL})
    back = Workspace.open(workspace.folder).read("masts")
    for column in ("mast_id", "ghi chú"):
        wanted = [
            None if pd.isna(text) else unicodedata.normalize("NFC", str(text)).strip() or None
            for text in frame[column]
        ]
        assert [None if pd.isna(text) else text for text in back[column]] == wanted
    assert back["height_m"].tolist() == frame["height_m"].tolist()
    assert back["shareable"].tolist() == frame["shareable"].tolist()
    assert back.geometry.x.tolist() == frame["x"].tolist()


def test_columns_that_clash_with_the_database_are_kept_under_another_name(
    workspace: Workspace,
) -> None:
    masts = samples.masts().assign(fid=[9, 9, 9], geom="chữ", Name_en="a", name_EN="b")
    workspace.write({"masts": masts}, {"masts": REAL})
    back = workspace.read("masts")
    assert {"fid_2", "geom_2", "Name_en"} <= set(back.columns)
    assert back["fid_2"].tolist() == [9, 9, 9]


def test_frames_are_copies(workspace: Workspace) -> None:
    first = workspace.read("masts")
    first.loc[0, "height_m"] = 1.0
    first.geometry.to_numpy()[0] = None
    second = workspace.read("masts")
    assert second["height_m"][0] == 42.0
    assert second.geometry[0] is not None


def test_every_gis_opens_the_database(workspace: Workspace) -> None:
    path = workspace.folder / "workspace.gpkg"
    kinds = dict(pyogrio.list_layers(path).tolist())
    assert kinds["zones"] == "MultiPolygon"
    assert kinds["masts"] == "Point"
    assert kinds["roads"] == "MultiLineString"
    assert kinds["cells"] is None
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        tables = dict(connection.execute("SELECT table_name, data_type FROM gpkg_contents"))
    assert tables["provenance"] == "attributes"


def test_manifest_tells_the_provenance(workspace: Workspace) -> None:
    manifest = json.loads((workspace.folder / "manifest.json").read_text("utf-8"))
    assert manifest["area"]["title_vi"] == "Vùng thử"
    masts = manifest["inputs"]["masts"]
    assert masts["source"] == "Sở Thông tin"
    assert {"licence", "vintage", "url_or_file", "sha256", "retrieved_at"} <= set(masts)
    assert (workspace.folder / manifest["inputs"]["terrain"]["file"]).is_file()


def test_provenance_is_needed(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="no provenance for masts"):
        workspace.write({"masts": samples.masts()}, {})


# All or nothing


def test_several_layers_change_together_or_not_at_all(workspace: Workspace) -> None:
    before, names = workspace.content_hash(), files_of(workspace)
    wrong = samples.cells()
    wrong.loc[0, "mast_id"] = "M9"
    with pytest.raises(ValidationError, match="row 1, column mast_id: 'M9'"):
        workspace.write(
            {"masts": samples.masts(5), "cells": wrong},
            {"masts": REAL, "cells": REAL, "terrain": REAL},
            rasters={"terrain": samples.raster(9.0)},
        )
    high = samples.raster(9_999.0)
    with pytest.raises(InputError, match="9999 in 5000 or more pixels"):
        workspace.write(
            {"masts": samples.masts(5)},
            {"masts": REAL, "terrain": REAL, "clutter": REAL},
            rasters={"clutter": samples.raster(7.0), "terrain": high},
        )
    assert workspace.content_hash() == before
    assert files_of(workspace) == names


def test_masts_are_not_taken_away_from_under_cells(workspace: Workspace) -> None:
    with pytest.raises(InputError, match="2 cells of the workspace, such as C2"):
        workspace.write({"masts": samples.masts(2)}, {"masts": REAL})
    with pytest.raises(InputError, match="6 cells of the workspace"):
        workspace.write({}, {}, drop=["masts"])
    workspace.write({}, {}, drop=["masts", "cells"])
    assert workspace.layers() == ["zones", "villages", "roads"]
    names = pyogrio.list_layers(workspace.folder / "workspace.gpkg")[:, 0].tolist()
    assert "masts" not in names
    workspace.write({"masts": samples.masts()}, {"masts": REAL})
    assert len(workspace.read("masts")) == 3


def test_layers_of_another_crs_are_refused(workspace: Workspace) -> None:
    with pytest.raises(ValidationError, match=r"EPSG:4326 .expected EPSG:32648"):
        workspace.write({"masts": samples.masts().to_crs(4326)}, {"masts": REAL})


KILLED = """
import os, signal, sys
from pathlib import Path
from data import database, rasters, store
from tests.data import samples

stage = sys.argv[2]
def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
if stage == "rasters":
    rasters.content_hash = die
elif stage == "layers":
    database._drop_layer = die
elif stage == "before":
    database.sync = die
elif stage == "after":
    store.sync_folder = die
workspace = store.Workspace.open(sys.argv[1])
workspace.write(
    {"masts": samples.masts(5), "cells": samples.cells(9)},
    dict.fromkeys(["masts", "cells", "terrain"], samples.MADE_UP),
    rasters={"terrain": samples.raster(9.0)},
    drop=["roads"],
)
"""


@pytest.mark.parametrize("stage", ["rasters", "layers", "before", "after"])
def test_a_killed_writer_leaves_the_old_or_the_new_workspace_whole(
    workspace: Workspace, stage: str
) -> None:
    old = workspace.content_hash()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(workspace.folder), stage], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    opened = Workspace.open(workspace.folder)
    for name in opened.layers():
        opened.read(name)
    if stage == "after":
        assert len(opened.read("masts")) == 5
        assert not opened.has("roads")
        assert opened.read_raster("terrain").values.max() == 9.0
        assert opened.provenance()["masts"].illustrative
    else:
        assert opened.content_hash() == old
        assert not opened.provenance()["masts"].illustrative
    # The next writer is not held up, and clears away what was left.
    opened.write({"villages": samples.villages()}, {"villages": REAL})
    left = [name for name in files_of(opened) if ".tmp-" in name]
    assert left == []
    assert len([name for name in files_of(opened) if "terrain" in name]) == 1


def test_writers_wait_for_each_other_and_readers_for_nobody(workspace: Workspace) -> None:
    errors: list[Exception] = []
    counts: list[int] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                own = Workspace(workspace.folder)
                counts.append(len(own.read("masts")))
                own.read_raster("terrain")
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    def write(count: int) -> None:
        try:
            for k in range(3):
                Workspace(workspace.folder).write(
                    {"masts": samples.masts(count + k)},
                    {"masts": REAL, "terrain": REAL},
                    rasters={"terrain": samples.raster(float(count + k))},
                )
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(count,)) for count in (10, 20)]
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert errors == []
    assert set(counts) <= {3, 10, 11, 12, 20, 21, 22}
    assert len(workspace.read("masts")) in (12, 22)


def test_a_writer_that_waits_too_long_says_so(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_LOCK_TIMEOUT_S", 0.05)
    other = store.filelock.FileLock(workspace.folder / ".lock")
    with other, pytest.raises(InputError, match="Another program is writing"):
        workspace.write({"masts": samples.masts()}, {"masts": REAL})


def test_an_open_edit_in_another_program_is_not_overwritten(workspace: Workspace) -> None:
    path = workspace.folder / "workspace.gpkg"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("BEGIN")
    connection.execute("DELETE FROM villages")
    with pytest.raises(InputError, match="open for writing in another program, such as QGIS"):
        workspace.write({"masts": samples.masts()}, {"masts": REAL})
    connection.rollback()
    connection.close()
    workspace.write({"masts": samples.masts()}, {"masts": REAL})
    assert len(workspace.read("villages")) == 2


# What is no workspace


def test_a_folder_that_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        Workspace.open(tmp_path / "nơi khác")
    with pytest.raises(InputError, match=r"is not a workspace: it has no workspace\.gpkg"):
        Workspace.open(tmp_path)
    (tmp_path / "tệp").write_text("x")
    with pytest.raises(InputError, match="cannot be made"):
        Workspace.create(tmp_path / "tệp" / "w", samples.AREA)


@pytest.mark.parametrize("damage", ["cut", "garbage", "tiny", "foreign", "no_area", "scrambled"])
def test_a_damaged_workspace_gives_one_clear_error(workspace: Workspace, damage: str) -> None:
    path = workspace.folder / "workspace.gpkg"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        path.write_bytes(os.urandom(10_000))
    elif damage == "tiny":
        path.write_bytes(b"SQLite format 3\0")
    elif damage == "foreign":
        path.unlink()
        pyogrio.write_dataframe(samples.masts(), path, layer="masts", driver="GPKG")
    elif damage == "no_area":
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM study_area WHERE key = 'crs'")
    else:
        path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    with pytest.raises(InputError, match=r"workspace .* is damaged") as caught:
        Workspace.open(workspace.folder)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_lost_or_damaged_raster_gives_one_clear_error(workspace: Workspace) -> None:
    path = workspace.raster_path("terrain")
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(InputError, match="is damaged or is not a raster"):
        workspace.read_raster("terrain")
    path.unlink()
    with pytest.raises(InputError, match="the raster terrain is missing"):
        workspace.read_raster("terrain")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    with pytest.raises(InputError, match="has no masts"):
        workspace.read("masts")
    with pytest.raises(InputError, match="has no terrain"):
        workspace.read_raster("terrain")
    with pytest.raises(InputError, match="extent is not known"):
        workspace.analysis_grid()
    with pytest.raises(InputError, match=r"a workspace in .* already"):
        Workspace.create(tmp_path / "w", samples.AREA)


def test_a_newer_format_is_refused(workspace: Workspace) -> None:
    with sqlite3.connect(workspace.folder / "workspace.gpkg") as connection:
        connection.execute("UPDATE study_area SET value = '99' WHERE key = 'format'")
    with pytest.raises(InputError, match="newer version"):
        Workspace.open(workspace.folder)


@pytest.mark.parametrize(
    ("crs", "resolution"), [("EPSG:4326", 50.0), ("EPSG:2263", 50.0), ("nix", 50.0), (CRS, 0.0)]
)
def test_a_study_area_is_in_metres(crs: str, resolution: float) -> None:
    with pytest.raises(InputError):
        StudyAreaInfo("a", "a", "a", crs, False, resolution)


def test_a_workspace_is_replaced_in_one_step(workspace: Workspace) -> None:
    area = StudyAreaInfo("moi", "Mới", "New", CRS, True, 50.0, (X, Y, X + 100, Y + 100))
    Workspace.replace(workspace.folder, area, keep=["masts", "terrain"])
    opened = Workspace.open(workspace.folder)
    assert (opened.area, opened.layers(), opened.rasters()) == (area, ["masts"], ["terrain"])
    assert opened.analysis_grid().shape == (2, 2)
    other = StudyAreaInfo("xa", "Xa", "Far", "EPSG:32649", True, 50.0)
    with pytest.raises(InputError, match="cannot be kept"):
        Workspace.replace(workspace.folder, other, keep=["masts"])


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(tmp_path))
    assert store.default_workspace() == tmp_path
    monkeypatch.delenv("PHUSONG_WORKSPACE")
    assert store.default_workspace("hanam").parts[-3:] == ("phusong", "workspaces", "hanam")


# Content hash


def test_the_content_hash_follows_content_only(workspace: Workspace, tmp_path: Path) -> None:
    twin = samples.workspace(tmp_path / "twin", source=Provenance("another", retrieved_at="x"))
    assert re.fullmatch(r"[0-9a-f]{64}", workspace.content_hash())
    assert twin.content_hash() == workspace.content_hash()
    masts = samples.masts()
    masts.loc[2, "height_m"] = 42.000001
    twin.write({"masts": masts}, {"masts": REAL})
    assert twin.content_hash("masts") != workspace.content_hash("masts")
    assert twin.content_hash("cells", "terrain") == workspace.content_hash("terrain", "cells")
    raster = samples.raster(5.0, 100.0, 2_000.0)
    raster.values[3, 4] = 5.5
    twin.write_raster("terrain", raster, REAL)
    assert twin.content_hash("terrain") != workspace.content_hash("terrain")


def test_an_edit_by_another_program_changes_the_hash_and_what_is_read(
    workspace: Workspace,
) -> None:
    before = workspace.content_hash("cells")
    assert workspace.read("cells")["tilt_deg"][0] == 4.0
    with sqlite3.connect(workspace.folder / "workspace.gpkg") as connection:
        connection.execute("UPDATE cells SET tilt_deg = 7 WHERE cell_id = 'C0'")
    connection.close()
    assert workspace.read("cells")["tilt_deg"][0] == 7.0
    assert workspace.content_hash("cells") != before


def test_reading_again_is_quick(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write(
        {"masts": samples.masts(1000), "cells": samples.cells(50_000, 1000)},
        {"masts": REAL, "cells": REAL},
    )
    workspace.read("cells")
    start = time.perf_counter()
    for _ in range(10):
        workspace.read("cells")
    assert time.perf_counter() - start < 1.0


# Rasters


def test_rasters_are_valid_cloud_optimised_geotiffs(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    frame = Grid(CRS, X, Y + 60_000, 50.0, 1300, 1200)
    values = np.arange(frame.width * frame.height, dtype=np.float64).reshape(frame.shape) % 900
    values[5:9, 7:20] = np.nan
    workspace.write_raster("terrain", Raster(frame, values), REAL)
    path = workspace.raster_path("terrain")
    valid, errors, warnings = cog_validate(path, strict=True)
    assert (valid, errors, warnings) == (True, [], [])
    info = workspace.raster_info("terrain")
    assert (info.grid, info.crs, info.unit, info.dtype) == (frame, CRS, "m", "float32")
    back = workspace.read_raster("terrain")
    np.testing.assert_array_equal(back.values, values.astype(np.float32))
    assert back.values.dtype == np.float32


def test_a_window_reads_only_what_is_under_it_and_may_reach_beyond(workspace: Workspace) -> None:
    frame = samples.grid()
    values = np.arange(frame.width * frame.height, dtype=np.float32).reshape(frame.shape)
    workspace.write_raster("terrain", Raster(frame, values), REAL)
    part = workspace.read_raster("terrain", frame.window(-2, 95, 6, 10)).values
    assert np.isnan(part[:2]).all()
    assert np.isnan(part[:, 5:]).all()
    np.testing.assert_array_equal(part[2:, :5], values[:4, 95:])
    far = workspace.read_raster("terrain", frame.window(1000, 1000, 3, 3)).values
    assert np.isnan(far).all()


def test_interpolation_meets_a_plane(workspace: Workspace) -> None:
    frame = samples.grid(100.0)
    plane = 0.01 * (frame.x_centres() - X)[None, :] + 0.02 * (frame.y_centres() - Y)[:, None]
    workspace.write_raster("terrain", Raster(frame, plane), REAL)
    fine = Grid(CRS, X + 1_000, Y + 4_000, 30.0, 40, 30)
    wanted = 0.01 * (fine.x_centres() - X)[None, :] + 0.02 * (fine.y_centres() - Y)[:, None]
    got = workspace.read_raster("terrain", fine).values
    np.testing.assert_allclose(got, wanted, atol=1e-3)


@pytest.mark.parametrize("resampling", ["bilinear", "nearest", "average", "sum", "mode"])
def test_a_result_does_not_depend_on_the_tiles_it_is_read_in(
    tmp_path: Path, resampling: str
) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write_raster("terrain", lon_lat_file(tmp_path, 3 / 3600, 60, 50), REAL)
    frame = workspace.raster_info("terrain").grid
    frame = Grid.covering(frame.bounds, 40.0, CRS)
    whole = workspace.read_raster("terrain", frame, resampling).values
    assert np.isfinite(whole).any()
    for row in range(0, frame.height, 37):
        tile = frame.window(row, 11, min(37, frame.height - row), 53)
        part = workspace.read_raster("terrain", tile, resampling).values
        np.testing.assert_array_equal(part, whole[row : row + 37, 11:64])


def lon_lat_file(
    folder: Path,
    step_deg: float,
    width: int,
    height: int,
    nodata: float = -1,
    crs: str | None = "EPSG:4326",
) -> Path:
    """Write counts on a lon/lat grid over the test area, with a hole, as sources deliver them."""
    rng = np.random.default_rng(7)
    values = rng.gamma(0.7, 8.0, (height, width)).astype(np.float32)
    values[3:6, 4:9] = nodata
    path = folder / "đếm.tif"
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=width,
        height=height,
        count=1,
        dtype="float32",
        crs=crs,
        transform=Affine(step_deg, 0, 105.95, 0, -step_deg, 20.48),
        nodata=nodata,
    ) as dataset:
        dataset.write(values, 1)
    return path


@pytest.mark.parametrize(
    ("step_deg", "width", "height", "resolution_m"),
    [
        (30 / 3600, 40, 30, 50.0),  # 1 km cells onto 50 m
        (3 / 3600, 400, 300, 250.0),  # 100 m cells onto 250 m
        (3 / 3600, 400, 300, 3_000.0),
        (30 / 3600, 40, 30, 1_000.0),
    ],
)
def test_population_keeps_its_total_on_any_grid(
    tmp_path: Path, step_deg: float, width: int, height: int, resolution_m: float
) -> None:
    source = lon_lat_file(tmp_path, step_deg, width, height)
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write_raster("population", source, REAL)
    with rasterio.open(source) as dataset:
        values = dataset.read(1)
        total = float(values[values != -1].sum(dtype=np.float64))
        bounds = transform_bounds(dataset.crs, CRS, *dataset.bounds)
    margin = resolution_m
    bounds = (bounds[0] - margin, bounds[1] - margin, bounds[2] + margin, bounds[3] + margin)
    frame = Grid.covering(bounds, resolution_m, CRS)
    spread = workspace.read_raster("population", frame)
    assert np.nansum(spread.values, dtype=np.float64) == pytest.approx(total, rel=1e-5)
    assert np.nanmin(spread.values) >= 0
    # The same in tiles.
    tiles = [frame.window(row, 0, 7, frame.width) for row in range(0, frame.height, 7)]
    parts = [np.nansum(workspace.read_raster("population", tile).values) for tile in tiles]
    assert sum(map(float, parts)) == pytest.approx(total, rel=1e-5)


def test_counts_are_spread_by_share_of_area(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    coarse = Grid(CRS, X, Y + 200, 100.0, 2, 2)
    workspace.write_raster(
        "population", Raster(coarse, np.array([[4.0, 8.0], [np.nan, 16.0]])), REAL
    )
    fine = workspace.read_raster("population", Grid(CRS, X, Y + 200, 50.0, 4, 4)).values
    assert fine[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert fine[2:, 2:].tolist() == [[4, 4], [4, 4]]
    assert np.isnan(fine[2:, :2]).all()
    # Half a cell aside: each pixel takes a quarter of four cells.
    aside = workspace.read_raster("population", Grid(CRS, X + 50, Y + 150, 100.0, 1, 1)).values
    assert aside.tolist() == [[7.0]]


def test_rasters_that_cannot_be_right_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    before = workspace.content_hash()
    frame = samples.grid()
    empty = np.full(frame.shape, np.nan, np.float32)
    with pytest.raises(InputError, match="no data in any pixel"):
        workspace.write_raster("terrain", Raster(frame, empty), REAL)
    odd = np.full(frame.shape, 5.0)
    odd[2, 3] = np.inf
    with pytest.raises(InputError, match="terrain, row 3, column 4: inf in 1 or more pixels"):
        workspace.write_raster("terrain", Raster(frame, odd), REAL)
    undeclared = lon_lat_file(tmp_path, 0.01, 20, 20, nodata=-9999)
    with rasterio.open(undeclared, "r+") as dataset:
        dataset.nodata = None
    with pytest.raises(InputError, match=r"row 4, column 5: -9999 .* declared as nodata"):
        workspace.write_raster("population", undeclared, REAL)
    nowhere = lon_lat_file(tmp_path, 0.01, 20, 20, crs=None)
    with pytest.raises(InputError, match="no CRS"):
        workspace.write_raster("population", nowhere, REAL)
    undeclared.write_bytes(os.urandom(1000))
    with pytest.raises(InputError, match="damaged or is not a raster"):
        workspace.write_raster("population", undeclared, REAL)
    with pytest.raises(InputError, match="no raster slope; known rasters: terrain"):
        workspace.write_raster("slope", samples.raster(), REAL)
    with pytest.raises(InputError, match="no resampling lanczos"):
        workspace.read_raster("terrain", frame.window(0, 0, 2, 2), "lanczos")
    assert workspace.content_hash() == before
