"""Proposals by commands: what is imported is evaluated, sent, taken back and talked about."""

from __future__ import annotations

import pytest

from planning import proposal_batch, proposals
from planning.accounts import COMMAND_LINE
from planning.proposal_evaluation import Evaluator
from planning.proposal_workflow import Status
from tests.planning.test_cli_proposals import cli as cli
from tests.planning.test_proposals import wish

# Both databases are compared where proposals are kept, not where words are read.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HEADER = "reference,lon,lat,kind,mast_id,mast_class,height_m,technologies\n"


@pytest.fixture
def here(cli) -> tuple[float, float]:
    point = cli.workspace.read("zones").geometry.to_crs("EPSG:4326").union_all().centroid
    return point.x, point.y


@pytest.fixture
def write(tmp_path, here):
    """Write a file of sites: code and height of new masts, other rows as they are."""

    def file(*rows: object) -> object:
        lines = []
        for k, row in enumerate(rows):
            if isinstance(row, tuple):
                code, height = row
                row = f"{code},{here[0] + 0.001 * k:.6f},{here[1]:.6f},new,,A2b,{height},4G"
            lines.append(row)
        path = tmp_path / "sites.csv"
        path.write_text(HEADER + "\n".join(map(str, lines)) + "\n", "utf-8")
        return path

    return file


def records_of(cli):
    from planning.proposal_commands import _records

    return _records(cli.workspace)[0]


def evaluated(cli) -> list[int]:
    records = records_of(cli)
    found = proposals.list_of(records, COMMAND_LINE, cli.workspace.folder.name)
    return sorted(item.id for item in found if proposals.evaluation(records, COMMAND_LINE, item.id))


def test_what_is_imported_is_evaluated_once_and_sent_later(cli, write) -> None:
    path = write(("R1", 42), ("R2", 30))
    code, out, _ = cli("import", path, "--organisation", "A", "--no-evaluation")
    assert (code, out.count("draft"), evaluated(cli)) == (0, 2, [])
    code, out, _ = cli("import", path, "--organisation", "A", "--submit")
    assert (code, out.count(": submitted"), evaluated(cli)) == (0, 2, [1, 2])
    assert out.endswith("2 evaluated\n")
    # Once more there is nothing left to do.
    code, out, _ = cli("import", path, "--organisation", "A", "--submit")
    assert (code, "evaluated" in out) == (0, False)


def test_a_corrected_file_names_the_proposals_that_are_there(cli, write) -> None:
    first = write(("R1", 42), ("R2", 30))
    assert cli("import", first, "--organisation", "A", "--no-evaluation")[0] == 0
    code, out, err = cli("import", write(("R1", 42), ("R3", 30), ("R2", 31)), "--organisation", "A")
    assert code == 2
    assert "row 2, column reference: R1" in err
    assert "proposal 1 has this code" in err
    assert "row 4, column reference: R2" in out
    assert "proposal 2 has this code" in out
    assert "and 1 more" in err
    # Another carrier has codes of its own.
    assert cli("import", write(("R1", 42)), "--organisation", "B", "--no-evaluation")[0] == 0
    cli("withdraw", 1, 2)
    again = write(("R1", 42), ("R3", 30), ("R2", 31))
    code, out, _ = cli("import", again, "--organisation", "A", "--no-evaluation")
    assert (code, out.count("draft")) == (0, 3)


def test_what_lies_elsewhere_is_named_by_row(cli, write, here) -> None:
    mast = cli.workspace.read("masts")["mast_id"].iloc[0]
    rows = [
        f"S1,{here[0]},{here[1]},share,{mast},,,4G",
        f"OUT,{here[0] + 1.0},{here[1]},new,,A2b,42,4G",
    ]
    code, _, err = cli("import", write(("R1", 42), *rows), "--organisation", "A")
    assert code == 2
    assert "row 4, column lon: " in err
    assert "expected a place within" in err
    lost = f"S2,{here[0]},{here[1]},share,NOPE,,,4G"
    code, _, err = cli("import", write(rows[0], lost), "--organisation", "A")
    assert (code, "row 3, column mast_id: NOPE" in err) == (2, True)
    assert cli("list")[1] == "No proposals\n"


def test_a_carrier_is_one_of_the_layers(cli, write) -> None:
    code, out, err = cli("import", write(("R1", 42)), "--organisation", "Nobody")
    assert (code, out) == (2, "")
    assert "There is no carrier Nobody" in err
    assert err.count("\n") == 1


def test_one_that_cannot_be_evaluated_stops_no_other(cli, here) -> None:
    records, area = records_of(cli), cli.workspace.folder.name
    made = []
    for k, east in enumerate((0.0, 1.0, 0.002)):
        given = wish(reference=f"R{k}", lon=here[0] + east, lat=here[1], technologies="4G")
        made.append(proposals.create(records, COMMAND_LINE, area, given, organisation="A"))
    code, out, err = cli("evaluate")
    assert code == 2
    assert err == "Error: This failed for 1 of 3 proposals: 2\n"
    assert "2 evaluated\n2: not evaluated: " in out
    assert evaluated(cli) == [1, 3]
    # In steps that somebody can watch and stop.
    shares: list[float] = []
    failed = proposal_batch.evaluate(
        records, COMMAND_LINE, Evaluator(cli.workspace), [2, 3, 999], on_progress=shares.append
    )
    assert shares == [0.0, 1 / 3, 2 / 3, 1.0]
    assert list(failed) == [2, 999]
    found = proposals.list_of(records, COMMAND_LINE, area)
    assert proposal_batch.outstanding(records, COMMAND_LINE, found) == [2]


def test_proposals_are_sent_taken_back_and_talked_about(cli, write) -> None:
    path = write(("R1", 42), ("R2", 30), ("R3", 30))
    cli("import", path, "--organisation", "A", "--no-evaluation")
    code, out, _ = cli("submit", 1, 2)
    assert (code, out.count(": submitted"), out.endswith("2 submitted\n")) == (0, 2, True)
    code, out, err = cli("withdraw", 1, 7, 3, "--reason", "Found another place")
    assert (code, out.count(": withdrawn")) == (2, 2)
    assert err == "Error: This failed for 1 of 3 proposals: 7\n"
    assert "7: not withdrawn: There is no proposal 7\n" in out
    code, out, err = cli("submit", 1)
    assert (code, err) == (2, "Error: This failed for 1 of 1 proposals: 1\n")
    assert '"Submit" is not possible: the state of the proposal is "Withdrawn"' in out
    assert cli("comment", 2, "Bản vẽ gửi sau")[0] == 0
    records = records_of(cli)
    assert [c.text for c in proposals.comments(records, COMMAND_LINE, 2)] == ["Bản vẽ gửi sau"]
    assert proposals.get(records, COMMAND_LINE, 2).status is Status.SUBMITTED
    assert cli("comment", 2, " ")[0] == 2


def test_another_areas_proposals_are_not_touched(cli) -> None:
    records = records_of(cli)
    made = proposals.create(
        records, COMMAND_LINE, "elsewhere", wish(), organisation="A", submit=True
    )
    document = ("--number", "1", "--day", "2024-01-01")
    for words in (
        ("submit", made.id),
        ("withdraw", made.id),
        ("comment", made.id, "x"),
        ("evaluate", made.id),
        ("decide", made.id, "refuse", "--reason", "x"),
        ("record", made.id, "permit", *document),
    ):
        code, out, err = cli(*words)
        assert code == 2, words
        assert "There is no proposal 1" in out + err
    assert proposals.get(records, COMMAND_LINE, made.id) == made


@pytest.mark.parametrize("number", [0, -1, 99999999999999999999])
def test_numbers_that_no_database_has_are_one_line(cli, write, number) -> None:
    cli("import", write(("R1", 42)), "--organisation", "A", "--submit", "--no-evaluation")
    code, _, err = cli(
        "decide", 1, "approve", "--number", "1", "--day", "2024-01-01", f"--scenario={number}"
    )
    assert (code, err) == (2, f"Error: There is no scenario {number}\n")
