"""Imports can be taken back, one by one, without losing what was done in between."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data import importers, store
from data.errors import InputError
from data.store import Workspace
from tests.data import samples
from tests.data.samples import MADE_UP, REAL

HEADER = "mast_id,name,height_m,lon,lat\n"


def masts_csv(*names: str) -> bytes:
    return (
        HEADER + "".join(f"{name},Cột {name},42,105.98,20.4{k}\n" for k, name in enumerate(names))
    ).encode()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return samples.workspace(tmp_path / "w")


def everything(workspace: Workspace) -> tuple[dict[str, pd.DataFrame], object]:
    return {name: workspace.read(name) for name in workspace.layers()}, workspace.provenance()


def same(one: tuple[dict[str, pd.DataFrame], object], workspace: Workspace) -> None:
    now = everything(workspace)
    assert list(one[0]) == list(now[0])
    for name, frame in one[0].items():
        assert_frame_equal(frame, now[0][name])
    assert one[1] == now[1]


def load(workspace: Workspace, *names: str) -> None:
    importers.import_layer(
        workspace, "masts", masts_csv(*names), file_name=f"{names[0]}.csv", drop_orphans=True
    )


def test_an_import_is_taken_back_with_all_that_went_with_it(workspace: Workspace) -> None:
    before, digest = everything(workspace), workspace.content_hash()
    load(workspace, "M1", "N2")
    assert len(workspace.read("cells")) == 2
    step = importers.undo(workspace)
    assert (step.file, set(step.names)) == ("M1.csv", {"masts", "cells"})
    same(before, workspace)
    assert workspace.content_hash() == digest
    assert importers.history(workspace) == []


def test_generated_layers_come_back(tmp_path: Path) -> None:
    workspace = samples.workspace(tmp_path / "w", source=MADE_UP)
    before = everything(workspace)
    load(workspace, "A")
    assert not workspace.has("cells")
    importers.undo(Workspace.open(workspace.folder))
    same(before, Workspace.open(workspace.folder))


def test_a_layer_that_was_not_there_is_gone_again(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": REAL})
    load(workspace, "A")
    importers.undo(workspace)
    assert workspace.layers() == ["zones"]


def test_several_steps_back_to_the_limit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "HISTORY_STEPS", 3)
    for k in range(5):
        load(workspace, f"A{k}")
    steps = importers.history(workspace)
    assert [step.file for step in steps] == ["A4.csv", "A3.csv", "A2.csv"]
    assert len(list((workspace.folder / "history").iterdir())) == 3
    for k in (3, 2, 1):
        importers.undo(workspace)
        assert workspace.read("masts")["mast_id"].tolist() == [f"A{k}"]
    with pytest.raises(InputError, match="no import to undo"):
        importers.undo(workspace)
    assert not list((workspace.folder / "history").iterdir())


def test_disk_space_is_bounded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "HISTORY_BYTES", 1)
    for k in range(3):
        load(workspace, f"A{k}")
    assert [step.file for step in importers.history(workspace)] == ["A2.csv"]
    importers.undo(workspace)
    assert workspace.read("masts")["mast_id"].tolist() == ["A1"]


def test_other_changes_since_then_are_kept(workspace: Workspace) -> None:
    load(workspace, "M1")
    workspace.write({"villages": samples.villages().head(1)}, {"villages": REAL})
    importers.undo(workspace)
    assert len(workspace.read("villages")) == 1
    assert len(workspace.read("masts")) == 3


def test_a_later_change_of_the_same_layer_is_not_lost(workspace: Workspace) -> None:
    load(workspace, "M1")
    edited = workspace.read("masts").assign(owner="Sửa tay")
    workspace.write({"masts": edited}, {"masts": REAL})
    before = workspace.content_hash()
    with pytest.raises(InputError, match=r"masts was changed after the import .* would lose"):
        importers.undo(workspace)
    assert workspace.content_hash() == before
    assert workspace.read("masts")["owner"].tolist() == ["Sửa tay"]


def test_cells_do_not_lose_their_masts(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "w", samples.AREA)
    workspace.write({"zones": samples.zones()}, {"zones": REAL})
    load(workspace, "A")
    cells = samples.cells(2).assign(mast_id="A")
    workspace.write({"cells": cells}, {"cells": REAL})
    with pytest.raises(InputError, match="2 cells without their masts"):
        importers.undo(workspace)
    assert workspace.has("cells")
    assert workspace.has("masts")


def test_a_new_build_ends_the_history(workspace: Workspace) -> None:
    load(workspace, "M1")
    Workspace.replace(workspace.folder, samples.AREA, {"zones": samples.zones()}, {"zones": REAL})
    assert importers.history(workspace) == []
    assert not list((workspace.folder / "history").iterdir())


def test_a_step_that_was_killed_halfway_does_not_count(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(workspace)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(store, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            load(workspace, "M1")
    same(before, workspace)
    assert importers.history(workspace) == []
    # Killed between keeping the old database and putting the new one in its place.
    (workspace.folder / "history").mkdir(exist_ok=True)
    shutil.copyfile(workspace.folder / "workspace.gpkg", workspace.folder / "history/000001.gpkg")
    load(workspace, "M2")
    importers.undo(workspace)
    same(before, workspace)


def test_a_killed_undo_changes_nothing(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(workspace, "M1")
    before = everything(workspace)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            importers.undo(workspace)
    same(before, workspace)
    assert len(importers.history(workspace)) == 1
    assert importers.undo(workspace).file == "M1.csv"


def test_rasters_come_back(workspace: Workspace, tmp_path: Path) -> None:
    old = workspace.read_raster("terrain")
    path = tmp_path / "cao.tif"
    shutil.copyfile(workspace.raster_path("terrain"), path)
    first = workspace.raster_path("terrain")
    flat = type(old)(old.grid, old.values * 0 + 7)
    workspace.write_raster("terrain", flat, REAL, undoable=("import of terrain", "cao.tif"))
    assert first.exists()
    assert float(workspace.read_raster("terrain").values.max()) == 7
    step = importers.undo(workspace)
    assert step.names == ("terrain",)
    assert workspace.raster_path("terrain") == first
    workspace.read_raster("terrain")
    importers.import_raster(workspace, "terrain", path)
    assert importers.history(workspace)[0].file == "cao.tif"
    importers.undo(workspace)
    assert len(list((workspace.folder / "rasters").glob("terrain-*.tif"))) == 1


def test_a_damaged_history_is_said_and_does_no_harm(workspace: Workspace) -> None:
    load(workspace, "M1")
    kept = next((workspace.folder / "history").iterdir())
    kept.unlink()
    kept.write_bytes(b"no database")
    before = workspace.content_hash()
    with pytest.raises(InputError, match="damaged"):
        importers.undo(workspace)
    assert workspace.content_hash() == before
    load(workspace, "M2")
    importers.undo(workspace)
    assert workspace.read("masts")["mast_id"].tolist() == ["M1"]
