"""Unit costs: the built-in table, a workspace's own, and bills made of them."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import InputError
from planning import cost
from planning.cost import CostRange

HEADER = "item,group,unit,low,typical,high,currency,year,verified,source\n"


def own(tmp_path, text: str):
    (tmp_path / cost.OWN_FILE).write_text(HEADER + text, encoding="utf-8")
    return tmp_path


def test_every_built_in_cost_names_its_source_and_is_marked_unverified() -> None:
    for item in cost.unit_costs().values():
        assert item.source
        assert not item.verified
        assert item.unit in ("m", "each")
        assert 0.0 < item.cost.low <= item.cost.typical <= item.cost.high


def test_a_workspace_replaces_single_items(tmp_path) -> None:
    folder = own(tmp_path, "cabinet,access,each,1,2,3,VND,2026,yes,price list 7\n")
    costs = cost.unit_costs(folder)
    assert costs["cabinet"].cost == CostRange(1.0, 2.0, 3.0)
    assert costs["cabinet"].verified
    assert costs["olt_port"] == cost.unit_costs()["olt_port"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cabinet,access,each,3,2,4,VND,2026,no,x\n", "row 2: the costs of cabinet are 3, 2, 4"),
        ("cabinet,access,each,-1,2,4,VND,2026,no,x\n", "column low: -1"),
        ("cabinet,access,each,1,nan,4,VND,2026,no,x\n", "column typical: nan"),
        ("cabinet,access,each,1,,4,VND,2026,no,x\n", "column typical: empty"),
        ("cupboard,access,each,1,2,4,VND,2026,no,x\n", "no cost item cupboard"),
        ("cabinet,access,each,1,2,4,USD,2026,no,x\n", "costs are in USD, VND"),
        ("cabinet,access,each,1,2,4,VND,2026,no,x\n" * 2, "row 3: the item cabinet is there twice"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(tmp_path, text, said) -> None:
    with pytest.raises(InputError) as caught:
        cost.unit_costs(own(tmp_path, text))
    assert said in str(caught.value)
    assert cost.OWN_FILE in str(caught.value)


def test_a_bill_multiplies_and_adds() -> None:
    costs = cost.unit_costs()
    bill = cost.bill_of_quantities({"trench_unpaved": 1500.0, "cabinet": 2, "olt_port": 0}, costs)
    assert list(bill["item"]) == ["trench_unpaved", "cabinet"]
    whole = cost.total(bill)
    assert whole.typical == pytest.approx(
        1500.0 * costs["trench_unpaved"].cost.typical + 2 * costs["cabinet"].cost.typical
    )
    assert whole.low < whole.typical < whole.high
    assert cost.total(cost.bill_of_quantities({}, costs)) == CostRange()


def test_a_bill_needs_a_cost_for_every_item() -> None:
    with pytest.raises(InputError, match="no unit cost for gold"):
        cost.bill_of_quantities({"gold": 1.0}, cost.unit_costs())


@given(st.lists(st.tuples(*[st.floats(0, 1e12)] * 3).map(sorted), min_size=1, max_size=6))
def test_sums_keep_their_order(ranges) -> None:
    summed = sum((CostRange(*item) for item in ranges), CostRange())
    assert summed.low <= summed.typical <= summed.high
    frame = pd.DataFrame([dict(zip(("low", "typical", "high"), r, strict=True)) for r in ranges])
    assert cost.total(frame).high == pytest.approx(summed.high)
