"""The layers of the dedicated network: their checks, their files, and the generated one."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import Point

from data import build, demo, exporters, importers, schema
from data.demo.dedicated_network import make_dedicated_network
from data.errors import InputError, ValidationError
from data.store import Provenance, Workspace
from tests.data import samples
from tests.data.samples import CRS, MADE_UP, REAL, X, Y


def problems(layer: str, frame: pd.DataFrame, **context: pd.DataFrame) -> list[str]:
    found = schema.examine(layer, frame, crs=CRS, file="tệp.csv", context=context)
    return [f"{each.severity}: {each}" for each in found.problems]


def only(said: list[str]) -> str:
    assert len(said) == 1, said
    return said[0]


# Sites


@pytest.mark.parametrize(
    ("row", "changes", "said"),
    [
        (1, {"valid_to": "2019-12-31", "connected_on": None, "planned_on": None},
         ("error: tệp.csv, row 3, column valid_to: '2019-12-31' (expected a day not before "
         "valid_from)")),
        (1, {"connected_on": "2019-12-31", "planned_on": None},
         ("error: tệp.csv, row 3, column connected_on: '2019-12-31' (expected a day not before "
         "valid_from)")),
        (1, {"valid_to": "2021-03-10"},
         ("error: tệp.csv, row 3, column connected_on: '2021-03-15' (expected no day after "
         "valid_to)")),
        (2, {"connected_on": "2026-01-01"},
         ("error: tệp.csv, row 4, column connected_on: '2026-01-01' (expected no day while the "
         "status is planned; planned_on has it)")),
        (2, {"status": "none", "connected_on": "2026-01-01"},
         ("error: tệp.csv, row 4, column connected_on: '2026-01-01' (expected no day while the "
         "status is none)")),
        (0, {"connected_on": None},
         ("warning: tệp.csv, row 2, column connected_on: no value (expected the day of the "
         "connection; it counts as connected from the start)")),
        (1, {"planned_on": "2021-06-30"},
         ("warning: tệp.csv, row 3, column connected_on: '2021-03-15' (earlier than planned_on; "
         "kept)")),
        (2, {"planned_on": None},
         ("warning: tệp.csv, row 4, column planned_on: no value (expected the day for which it is "
         "planned; it counts as not connected on any day)")),
        (0, {"site_id": "S2"},
         ("error: tệp.csv, row 3, column site_id: 'S2' (expected a value that no other row has; "
         "row 2 has it too)")),
        (0, {"geometry": None}, "error: tệp.csv, row 2, column geometry: no value (expected"),
        (0, {"bandwidth_mbps": -1.0},
         ("error: tệp.csv, row 2, column bandwidth_mbps: -1 (expected a number greater than 0 and "
         "at most 1000000 Mbit/s)")),
        (0, {"criticality": 6.0},
         "error: tệp.csv, row 2, column criticality: 6 (expected a whole number from 1 to 5)"),
        (0, {"addresses": "10.0.0.0/24; 10.0.300.0/24"},
         ("error: tệp.csv, row 2, column addresses: '10.0.0.0/24; 10.0.300.0/24' (expected address "
         "ranges such as 10.48.12.0/24)")),
        (0, {"security_level": 6.0},
         "error: tệp.csv, row 2, column security_level: 6 (expected a whole number from 1 to 5)"),
        (0, {"level": "region"}, "error: tệp.csv, row 2, column level: 'region' (expected one of"),
        (0, {"status": None}, "error: tệp.csv, row 2, column status: no value (expected one of"),
        (0, {"connected_on": "1/5/2019"},
         "error: tệp.csv, row 2, column connected_on: '1/5/2019' (expected a date as YYYY-MM-DD)"),
    ],
)  # fmt: skip
def test_faults_of_a_site_are_named(row: int, changes: dict[str, object], said: str) -> None:
    frame = samples.network_sites().astype(object).set_geometry("geometry", crs=CRS)
    for name, value in changes.items():
        frame.loc[row, name] = value
    assert only(problems("network_sites", frame)).startswith(said)


def test_two_sites_with_one_address_range_are_doubtful() -> None:
    frame = samples.network_sites()
    frame["addresses"] = ["10.0.0.0/16", "10.1.0.0/24; 10.0.7.0/24", "10.2.0.0/24"]
    said = problems("network_sites", frame)
    assert [text.partition(": ")[0] for text in said] == ["warning", "warning"]
    assert "row 2, column addresses: '10.0.0.0/16' (a range that another site has" in said[0]
    assert "row 3, column addresses" in said[1]


def test_sites_are_compared_with_zones() -> None:
    frame = samples.network_sites()
    frame.loc[1, "zone_code"] = "999"
    frame.loc[2, "geometry"] = Point(X - 50_000, Y)
    said = problems("network_sites", frame, zones=samples.zones())
    assert [text.partition(": ")[0] for text in said] == ["warning", "warning"]
    assert "row 3, column zone_code: 999 (expected the code of a zone; kept)" in said[0]
    assert "row 4, column geometry" in said[1]
    assert "outside the study area; kept" in said[1]


def test_a_table_of_sites_without_coordinates_is_refused() -> None:
    table = pd.DataFrame(samples.network_sites().drop(columns="geometry"))
    with pytest.raises(ValidationError, match=r"lon|lat|coordinates"):
        schema.validate("network_sites", table, crs=CRS)


# Links


@pytest.mark.parametrize(
    ("row", "changes", "said"),
    [
        (0, {"from_site": "S9"},
         ("error: tệp.csv, row 2, column from_site: 'S9' (expected a site_id of the layer "
         "network_sites, which has 3)")),
        (1, {"to_site": "S9"}, "error: tệp.csv, row 3, column to_site: 'S9' (expected a site_id"),
        (1, {"to_site": "S1"},
         "error: tệp.csv, row 3, column to_site: 'S1' (expected another site than from_site)"),
        (0, {"capacity_mbps": -5.0},
         "error: tệp.csv, row 2, column capacity_mbps: -5 (expected a number greater than 0 and"),
        (0, {"availability_percent": 100.5},
         ("error: tệp.csv, row 2, column availability_percent: 100.5 (expected a number from 0 to "
         "100 %)")),
        (0, {"delay_ms": -1.0}, "error: tệp.csv, row 2, column delay_ms: -1 (expected a number"),
        (0, {"loss_percent": 101.0}, "error: tệp.csv, row 2, column loss_percent: 101 (expected"),
        (0, {"cost_month": -1.0}, "error: tệp.csv, row 2, column cost_month: -1 (expected"),
        (0, {"medium": "pigeon"}, "error: tệp.csv, row 2, column medium: 'pigeon' (expected one"),
        (0, {"link_id": "L2"}, "error: tệp.csv, row 3, column link_id: 'L2' (expected a value"),
        (0, {"removed_on": "2021-03-14"},
         ("error: tệp.csv, row 2, column removed_on: '2021-03-14' (expected a day not before "
         "connected_on)")),
        (0, {"route": "F1; F7 ;F8"},
         ("warning: tệp.csv, row 2, column route: 'F7, F8' (expected segment_id of the layer "
         "fibre_segments; kept)")),
    ],
)  # fmt: skip
def test_faults_of_a_link_are_named(row: int, changes: dict[str, object], said: str) -> None:
    frame = samples.network_links().astype(object)
    for name, value in changes.items():
        frame.loc[row, name] = value
    context = {
        "network_sites": samples.network_sites(), "fibre_segments": samples.fibre_segments()
    }  # fmt: skip
    assert only(problems("network_links", frame, **context)).startswith(said)


def test_all_faults_of_a_link_are_found_at_once() -> None:
    frame = samples.network_links()
    frame.loc[0, ["from_site", "capacity_mbps", "delay_ms"]] = ["S9", -1.0, -1.0]
    said = problems("network_links", frame, network_sites=samples.network_sites())
    assert len(said) == 3
    assert all("row 2" in text for text in said)


# In and out


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = samples.workspace(tmp_path / "w")
    frames = {
        name: samples.LAYERS[name]()
        for name in ("fibre_segments", "network_sites", "network_links")
    }
    workspace.write(frames, dict.fromkeys(frames, REAL))
    return workspace


@pytest.mark.parametrize("suffix", [".csv", ".gpkg", ".xlsx"])
def test_a_network_goes_out_and_comes_back(
    workspace: Workspace, tmp_path: Path, suffix: str
) -> None:
    before = {name: workspace.read(name) for name in ("network_sites", "network_links")}
    for name in before:
        exporters.export_layer(workspace, name, tmp_path / f"{name}{suffix}")
    other = samples.workspace(tmp_path / "other")
    other.write({"fibre_segments": samples.fibre_segments()}, {"fibre_segments": REAL})
    for name, frame in before.items():
        report = importers.import_layer(other, name, tmp_path / f"{name}{suffix}")
        assert [each for each in report.problems if each.severity == "error"] == []
        assert report.rows_written == 3
        back = other.read(name)
        for column in schema.LAYERS[name].columns:
            pd.testing.assert_series_equal(back[column], frame[column])
        if name == "network_sites":
            assert back.distance(frame.geometry).max() < 0.01


def test_vietnamese_files_are_understood(workspace: Workspace, tmp_path: Path) -> None:
    sites = tmp_path / "điểm.csv"
    sites.write_text(
        "Mã điểm kết nối,Tên điểm kết nối,Cơ quan,Cấp,Mã ĐVHC,Địa chỉ,Vai trò,Tình trạng kết nối,"
        "Ngày kết nối,Ngày dự kiến kết nối,Mạng LAN,Điểm cầu,Băng thông yêu cầu (Mbps),"
        "Mức độ quan trọng,Kinh độ,Vĩ độ\n"
        "T1,Trung tâm,Sở KHCN,Tỉnh,35,,Trung tâm dữ liệu,Đã kết nối,2019-05-01,,có,x,1000,5,"
        "105.96,20.45\n"
        "T2,UBND xã,UBND xã Thi Sơn,Xã,102,,Đầu cuối,Chưa kết nối,,,không,,100,2,106.0,20.45\n",
        encoding="utf-8",
    )
    importers.import_layer(workspace, "network_sites", sites, drop_orphans=True)
    frame = workspace.read("network_sites")
    wanted = ["site_id", "level", "role", "status", "lan", "video_conference", "criticality"]
    assert frame[wanted].to_numpy().tolist() == [
        ["T1", "province", "hub", "connected", True, True, 5.0],
        ["T2", "commune", "access", "none", False, False, 2.0],
    ]
    assert len(workspace.read("network_links")) == 0
    links = tmp_path / "kênh.csv"
    links.write_text(
        "Mã kênh;Điểm đầu;Điểm cuối;Nhà cung cấp;Truyền dẫn;Hình thức sở hữu;Băng thông (Gbps);"
        "Độ khả dụng;Độ trễ (ms);Tỷ lệ mất gói;Cước tháng;Trạng thái;Ngày đấu nối;Tuyến cáp\n"
        "K1;T1;T2;VNPT;Cáp quang;Thuê kênh;0,2;99,5 %;2,5;0,01;3500000;Đang hoạt động;2021-03-15;"
        "F1;F2\n".replace("F1;F2", '"F1;F2"'),
        encoding="utf-8",
    )
    importers.import_layer(workspace, "network_links", links)
    row = workspace.read("network_links").iloc[0]
    assert row[["medium", "ownership", "status", "route"]].tolist() == [
        "fibre", "leased", "existing", "F1;F2",
    ]  # fmt: skip
    assert row[["capacity_mbps", "availability_percent", "delay_ms", "loss_percent"]].tolist() == (
        [200.0, 99.5, 2.5, 0.01]
    )


def test_the_fibre_network_in_vietnamese_is_understood(
    workspace: Workspace, tmp_path: Path
) -> None:
    nodes = tmp_path / "nút.csv"
    nodes.write_text(
        "Mã tủ,Tên tủ,Loại tủ,Chủ sở hữu,Tổng số cổng,Số cổng đã dùng,Kinh độ,Vĩ độ\n"
        "N1,Tủ 1,Tủ quang,VNPT,64,12,105.96,20.45\n",
        encoding="utf-8",
    )
    importers.import_layer(workspace, "fibre_nodes", nodes)
    row = workspace.read("fibre_nodes").iloc[0]
    assert row[["node_id", "node_type", "ports", "ports_used"]].tolist() == [
        "N1", "cabinet", 64.0, 12.0,
    ]  # fmt: skip


def test_faulty_rows_are_named_on_import_and_good_ones_can_be_taken(
    workspace: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "links.csv"
    frame = samples.network_links()
    frame.loc[1, "to_site"] = "S1"
    frame.loc[2, "from_site"] = "nowhere"
    frame.to_csv(path, index=False)
    before = workspace.read("network_links")
    with pytest.raises(ValidationError) as caught:
        importers.import_layer(workspace, "network_links", path)
    said = [(each.row, each.column) for each in caught.value.problems]
    assert said == [(3, "to_site"), (4, "from_site")]
    pd.testing.assert_frame_equal(workspace.read("network_links"), before)
    report = importers.import_layer(workspace, "network_links", path, accept_rows=True)
    assert report.rows_written == 1
    assert workspace.read("network_links")["link_id"].tolist() == ["L1"]


def test_links_do_not_outlive_their_sites(workspace: Workspace, tmp_path: Path) -> None:
    fewer = samples.network_sites().iloc[:2]
    with pytest.raises(InputError, match="1 links of the workspace, such as L3, end at sites"):
        workspace.write({"network_sites": fewer}, {"network_sites": REAL})
    path = tmp_path / "sites.gpkg"
    exporters.export_layer(schema.validate("network_sites", fewer), "network_sites", path)
    with pytest.raises(InputError, match="such as L3"):
        importers.import_layer(workspace, "network_sites", path)
    report = importers.import_layer(workspace, "network_sites", path, drop_orphans=True)
    assert "1 links without site were removed" in str(report.problems[0])
    assert workspace.read("network_links")["link_id"].tolist() == ["L1", "L2"]
    importers.undo(workspace)
    assert len(workspace.read("network_links")) == 3


def test_generated_links_go_with_generated_sites(workspace: Workspace, tmp_path: Path) -> None:
    made = ("network_sites", "network_links")
    workspace.write({name: workspace.read(name) for name in made}, dict.fromkeys(made, MADE_UP))
    path = tmp_path / "sites.csv"
    exporters.export_layer(workspace, "network_sites", path)
    report = importers.import_layer(workspace, "network_sites", path)
    assert "3 generated links were removed with their sites" in str(report.problems[1])
    assert not workspace.has("network_links")
    bare = samples.workspace(tmp_path / "bare")
    links = tmp_path / "links.csv"
    samples.network_links().to_csv(links, index=False)
    with pytest.raises(InputError, match="links need the sites that they join"):
        importers.import_layer(bare, "network_links", links)


# Generated


def test_the_generated_network_is_sound_and_repeats() -> None:
    area = demo.generate(5, n_communes=12, extent_km=20.0, n_masts=0)
    again = demo.generate(5, n_communes=12, extent_km=20.0, n_masts=0)
    pd.testing.assert_frame_equal(area.network_links, again.network_links)
    sites, links = area.network_sites, area.network_links
    assert (sites["level"] == "commune").sum() == 12
    assert set(sites.loc[sites["level"] == "commune", "zone_code"]) == set(
        area.zones.loc[area.zones["level"] == "commune", "code"]
    )
    assert (sites["role"] == "hub").sum() == 1
    communes = sites[sites["level"] == "commune"]
    assert {"connected", "planned"} <= set(communes["status"])
    assert sites.loc[sites["level"] == "province", "status"].eq("connected").all()
    # Every site that is or will be connected hangs on links that are there by then.
    day = sites["connected_on"].fillna(sites["planned_on"])
    since = dict(zip(sites["site_id"], day, strict=True))
    for link in links.itertuples():
        assert link.connected_on >= max(since[link.from_site], since[link.to_site])
    asked = set(sites.loc[sites["status"] != "none", "site_id"])
    assert {*links["from_site"], *links["to_site"]} == asked
    segments = area.fibre_segments.set_index("segment_id")
    for link in links[links["route"].notna()].itertuples():
        names = schema.route_segments(link.route)
        assert segments.loc[names, "owner"].eq(link.provider).all()
        ends = segments.loc[names].geometry
        # Each segment begins where the one before it ends.
        assert all(a.distance(b) < 0.11 for a, b in zip(ends.iloc[:-1], ends.iloc[1:], strict=True))
    assert links["route"].notna().mean() > 0.3


def test_a_change_of_the_network_leaves_the_rest_as_it_is() -> None:
    area = demo.generate(5, n_communes=4, extent_km=10.0, n_masts=2)
    rng = np.random.default_rng(np.random.SeedSequence(5).spawn(11)[10])
    alone = make_dedicated_network(area.zones, rng, fibre_segments=area.fibre_segments)
    pd.testing.assert_frame_equal(alone.links, area.network_links)


def test_districts_have_seats_for_as_long_as_they_are() -> None:
    zones = schema.validate("zones", samples.zones())
    districts = zones.iloc[1:].assign(level="district", code=["347", "348"], valid_to="2025-06-30")
    both = gpd.GeoDataFrame(pd.concat([zones, districts], ignore_index=True), crs=zones.crs)
    made = make_dedicated_network(both, np.random.default_rng(1), offices=samples.offices())
    found = schema.examine("network_sites", made.sites, crs=CRS, context={"zones": both})
    assert found.problems == []
    seats = made.sites[made.sites["level"] == "district"]
    assert seats["valid_to"].eq("2025-06-30").all()
    assert seats["video_conference"].tolist() == [True, False]
    gone = made.links[made.links["to_site"].isin(seats["site_id"])]
    assert gone["removed_on"].eq("2025-07-01").all()
    assert made.links["route"].isna().all()
    communes = made.sites[made.sites["level"] == "commune"].set_index("zone_code")
    offices = samples.offices().set_index("zone_code")
    away = communes.geometry.distance(offices.geometry.loc[communes.index])
    assert away.max() < 0.1
    assert schema.examine(
        "network_links", made.links, context={"network_sites": made.sites}
    ).problems == []  # fmt: skip


def test_an_imported_network_outlives_a_new_build(tmp_path: Path) -> None:
    contents = build.Contents(
        samples.AREA,
        {"zones": samples.zones(), "network_sites": samples.network_sites(),
         "network_links": samples.network_links()},
        {},
        {"zones": REAL, "network_sites": MADE_UP, "network_links": MADE_UP},
    )  # fmt: skip
    workspace, _, _ = build._write(tmp_path / "w", contents, "masts", lambda _: None)
    own = samples.network_sites().assign(name="thật")
    by_hand = Provenance("Sở", "nội bộ", "2025", "tệp.csv", "00")
    workspace.write({"network_sites": own}, {"network_sites": by_hand}, drop={"network_links"})
    again, kept, _ = build._write(tmp_path / "w", contents, "masts", lambda _: None)
    assert kept == ("network_sites",)
    assert again.read("network_sites")["name"].eq("thật").all()
    # The generated links belong to the generated sites.
    assert not again.has("network_links")
    none, kept, _ = build._write(tmp_path / "w", contents, "none", lambda _: None)
    assert kept == ()
    assert none.has("network_links")
