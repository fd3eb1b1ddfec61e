"""Notebooks run from top to bottom and show the figures that the function gives."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pandas as pd
import pytest

from coverage import run
from data.store import Workspace
from planning import audit, fibre, network_failures
from tests.vectors import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

#: Run after a notebook's own cells: what it computed, for the test to read.
TELL = """
import dataclasses
print(json.dumps({"request": dataclasses.asdict(request), "folder": str(workspace.folder)}))
figures.to_csv(Path(workspace.folder) / "told.csv", index=False)
"""


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert outputs(notebook) == []
    counts = {cell.execution_count for cell in notebook.cells if cell.cell_type == "code"}
    assert counts == {None}


def executed(
    name: str, tell: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[nbformat.NotebookNode, dict[str, Any]]:
    """Run a notebook on a new workspace; return it and what the last cell tells."""
    # There is no workspace yet, so it builds the embedded area, as for a new reader.
    monkeypatch.setenv("PHUSONG_WORKSPACE", str(folder))
    # Streamlit, where another test has imported it, turns pictures off for child processes.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    path = ROOT / "notebooks" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(tell))
    where = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    return notebook, json.loads(notebook.cells[-1].outputs[0].text)


def pictures(notebook: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook))


def test_each_notebook_has_its_test() -> None:
    assert {path.stem for path in NOTEBOOKS} == {
        "calibration_drive_test",
        "coverage_from_scratch",
        "fibre_design",
        "network_resilience",
        "sensitivity",
        "sharing_optimisation",
    }


def test_the_coverage_notebook_shows_the_figures_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed("coverage_from_scratch", TELL, tmp_path / "w", monkeypatch)
    assert Path(told["folder"]) == tmp_path / "w"
    shown = pd.read_csv(tmp_path / "w" / "told.csv", dtype={"code": str})
    for name in ("results", "cache"):
        shutil.rmtree(tmp_path / "w" / name)
    asked = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in told["request"].items()
    }
    request = run.CoverageRequest(**asked)
    assert dataclasses.asdict(request) == told["request"] | {"technologies": request.technologies}
    computed = run.compute(Workspace.open(tmp_path / "w"), request).figures
    # Through a file as the notebook's own went.
    computed.to_csv(tmp_path / "computed.csv", index=False)
    again = pd.read_csv(tmp_path / "computed.csv", dtype={"code": str})
    pd.testing.assert_frame_equal(shown, again, check_exact=True)

    # And it is those figures that the reader sees.
    texts = [str(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)]
    province = again[(again["zone"] == 0) & (again["operator"] == "any")]
    assert len(province) >= 5
    for row in province.itertuples():
        low, high = 100 * row.interval_low, 100 * row.interval_high
        seen = f"{100 * row.share:.1f} % ({low:.1f} to {high:.1f})"
        assert any(seen in text for text in texts), seen
    assert pictures(notebook) >= 3


TELL_DESIGN = """
print(json.dumps({"summary": summary, "curve": curve.to_dict("list"), "few": few.zones}))
"""


def test_the_fibre_notebook_shows_the_figures_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed("fibre_design", TELL_DESIGN, tmp_path / "w", monkeypatch)
    asked = told["summary"]["provenance"]["request"]
    request = fibre.DesignRequest(**asked | {"road_items": tuple(asked["road_items"])})
    again = fibre.design(Workspace.open(tmp_path / "w"), request)
    assert json.loads(json.dumps(again.summary)) == told["summary"]
    assert again.summary["connected"] >= 30
    assert len(told["few"]) == 4
    assert told["curve"]["value"][0] < told["curve"]["value"][-1]

    # And it is those figures that the reader sees.
    texts = "".join(
        str(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)
    )
    for figure in (again.cost.typical, again.cost.low, again.bound):
        assert f"{figure:,.0f}" in texts
    assert f"{100 * again.gap:.2f} %" in texts
    assert pictures(notebook) == 2


TELL_NETWORK = """
told = {"summary": report.summary, "curve": curve.to_dict("list"), "design": summary}
told |= {"years": phases.summary["years"]}
told |= {"cut": {name: sorted(lost) for name, lost in by_removal.items()}}
print(json.dumps(told))
"""


def test_the_network_notebook_shows_the_figures_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed("network_resilience", TELL_NETWORK, tmp_path / "w", monkeypatch)
    again = network_failures.analyse(Workspace.open(tmp_path / "w"))
    assert json.loads(json.dumps(again.summary)) == told["summary"]
    links = again.failures[again.failures["element"] == "link"]
    assert {row.name: sorted(row.sites.split(";")) for row in links.itertuples(index=False)} == (
        told["cut"]
    )
    assert told["design"]["connected"] == told["design"]["sites"]
    assert told["design"]["protected"] == told["design"]["to_protect"] == 6
    assert told["curve"]["connected"][0] < told["curve"]["connected"][-1]
    assert told["years"][-1]["connected"] == told["design"]["sites"]

    # And it is those figures that the reader sees.
    shown = [output.get("data", {}) for output in outputs(notebook)]
    texts = "".join(str(part.get("text/html", "")) for part in shown)
    least = min(each["percent"] for each in told["summary"]["availability"])
    assert f"{least:.3f}" in texts
    assert f"{told['design']['cost']['typical']:,.0f}" in texts
    assert pictures(notebook) == 4


TELL_CALIBRATION = """
told = {"found": found, "truth": truth, "terms": model.terms, "answers": answers}
told |= {"held_out": vars(model.held_out_after), "fresh": vars(checked)}
print(json.dumps(told))
"""


def test_the_calibration_notebook_finds_what_was_put_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed(
        "calibration_drive_test", TELL_CALIBRATION, tmp_path / "w", monkeypatch
    )
    assert told["truth"] == {"open land": -7.0, "settlements": -12.0}
    assert told["found"] == pytest.approx(told["truth"], abs=1.0)
    assert told["terms"] == ["offset", "clutter"]
    # What is left is the fading and the noise that were put in, there and on the second drive.
    for name in ("held_out", "fresh"):
        assert told[name]["robust_std_db"] == pytest.approx((6.0**2 + 1.5**2) ** 0.5, abs=0.5)
        assert abs(told[name]["median_db"]) < 0.8
    plain, better = told["answers"].values()
    assert better["share of area, %"] < plain["share of area, %"]
    assert better["to"] - better["from"] < plain["to"] - plain["from"]
    # The reader's own area is as it was.
    assert not (tmp_path / "w" / "models").exists()

    # And it is those figures that the reader sees.
    texts = "".join(
        str(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)
    )
    for value in (told["held_out"]["rmse_db"], told["fresh"]["mae_db"]):
        assert f"{value:.2f}" in texts
    assert pictures(notebook) == 1


TELL_SHARING = """
told = {"tradeoff": tradeoff.to_dict("records"), "notebook": summary, "written": written}
print(json.dumps(told))
"""


def test_the_sharing_notebook_shows_the_figures_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed("sharing_optimisation", TELL_SHARING, tmp_path / "w", monkeypatch)
    alone = [row for row in told["tradeoff"] if not row["moves allowed"]]
    moving = [row for row in told["tradeoff"] if row["moves allowed"]]
    for few, many in zip(moving, alone, strict=True):
        assert few["bound"] <= few["masts"] <= many["masts"] <= 24
        # The engine judges by the strongest cell, the choice by each mast alone.
        assert few["least kept, computed anew, %"] >= few["keep, %"] - 0.05
    assert moving[-1]["masts"] < moving[0]["masts"]
    assert told["written"]["masts_before"] == told["notebook"]["masts_before"] == 24

    # And it is those figures that the reader sees.
    texts = "".join(
        str(output.get("data", {}).get("text/html", "")) for output in outputs(notebook)
    )
    for row in told["tradeoff"]:
        assert f"{row['saving, typical']:,.0f}" in texts
    assert pictures(notebook) == 2


TELL_SENSITIVITY = """
told = {"sentences": [str(item) for item in found.sentences], "models": models["percent"].to_dict()}
told |= {"readings": found.readings["percent"].tolist(), "spans": sensitivity["span"].to_dict()}
print(json.dumps(told))
"""


def test_the_sensitivity_notebook_shows_the_figures_of_the_function(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, told = executed("sensitivity", TELL_SENSITIVITY, tmp_path / "w", monkeypatch)
    workspace = Workspace.open(tmp_path / "w")
    request = run.CoverageRequest(technologies=("3G", "4G"), resolution_m=500.0, radius_m=3_000.0)
    result = run.lookup(workspace, request)
    assert result is not None
    again = audit.audit(workspace, result, 93.0)
    assert told["readings"] == again.readings["percent"].tolist()
    assert told["sentences"] == [str(item) for item in again.sentences]
    assert told["models"]["p1812"] == pytest.approx(again.readings["percent"].iloc[2])
    assert all(span >= 0.0 for span in told["spans"].values())

    # And it is those figures that the reader sees.
    texts = "".join(
        str(output.get("data", {}).get("text/html", "")) + str(output.get("text", ""))
        for output in outputs(notebook)
    )
    for sentence in told["sentences"]:
        assert sentence in texts
    for share in told["models"].values():
        assert f"{share:.1f} %" in texts
    assert pictures(notebook) == 3
