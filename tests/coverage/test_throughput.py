"""Noise, SINR and rates against published values and hand calculations."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverage import throughput
from data.errors import InputError


@pytest.mark.parametrize(
    ("bandwidth_khz", "figure_db", "expected_dbm"),
    [
        (0.001, 0.0, -173.98),  # kT at 290 K
        (15.0, 7.0, -125.2),  # one LTE resource element
        (30.0, 9.0, -120.2),  # one NR resource element
        (200.0, 0.0, -121.0),  # a GSM channel
        (3840.0, 0.0, -108.13),  # a UMTS carrier
        (20_000.0, 9.0, -91.97),
    ],
)
def test_thermal_noise(bandwidth_khz: float, figure_db: float, expected_dbm: float) -> None:
    found = throughput.noise_dbm(bandwidth_khz, figure_db)
    assert found == pytest.approx(expected_dbm, abs=0.04)


@pytest.mark.parametrize(
    ("name", "bandwidth_mhz", "expected_dbm"),
    [
        ("2G", 0.2, -121.0 + 8.0),
        ("3G", 5.0, -108.13 + 8.0 - 10.0),  # RSCP is a tenth of the carrier, so is its noise
        ("4G", 20.0, -125.2),
        ("5G", 20.0, -123.2),  # 15 kHz
        ("5G", 100.0, -120.2),  # 30 kHz
    ],
)
def test_noise_on_the_scale_of_the_metric(
    name: str, bandwidth_mhz: float, expected_dbm: float
) -> None:
    found = throughput.metric_noise_dbm(name, bandwidth_mhz)
    assert found == pytest.approx(expected_dbm, abs=0.05)


@pytest.mark.parametrize(
    ("sinr", "expected"),
    [(-10.0, 0.083), (-5.0, 0.238), (0.0, 0.6), (5.0, 1.234), (10.0, 2.076), (15.0, 3.017),
     (20.0, 3.995), (22.0, 4.39), (23.0, 4.4), (60.0, 4.4), (-10.01, 0.0), (-np.inf, 0.0)],
)  # fmt: skip
def test_truncated_shannon_of_tr_36_942(sinr: float, expected: float) -> None:
    found = throughput.spectral_efficiency_bps_hz(sinr)
    assert found == pytest.approx(expected, abs=0.006)


def test_uplink_and_nr_bounds_follow_from_their_greatest_sinr() -> None:
    uplink = throughput.spectral_efficiency_bps_hz(
        15.0, attenuation=0.4, max_efficiency_bps_hz=2.01
    )
    assert uplink == pytest.approx(2.01, abs=0.005)
    model = throughput.rate_models()["5G"]
    at_30_db = model.attenuation * np.log2(1.0 + 1000.0)
    assert model.max_efficiency_bps_hz == pytest.approx(at_30_db, abs=0.005)


def test_sinr_adds_interference_and_noise_as_powers() -> None:
    assert throughput.sinr_db(-90.0, 0.0, -120.0) == pytest.approx(30.0)
    assert throughput.sinr_db(-90.0, 10**-12.0, -120.0) == pytest.approx(30.0 - 3.0103, abs=1e-3)
    assert throughput.sinr_db(-90.0, 10**-9.0, -150.0) == pytest.approx(0.0, abs=1e-3)
    assert throughput.sinr_db(-np.inf, 1e-9, -120.0) == -np.inf


@given(st.lists(st.tuples(st.floats(-140.0, -40.0), st.floats(0.0, 1.0)), min_size=1, max_size=6))
def test_interference_is_the_sum_of_the_others(cells: list[tuple[float, float]]) -> None:
    power = np.array([10.0 ** (0.1 * level) for level, _ in cells])
    load = np.array([share for _, share in cells])
    best = int(np.argmax(power))
    total = np.float32(np.sum(power * load))
    found = throughput.interference_mw(total, cells[best][0], load[best])
    others = np.sum(np.delete(power * load, best))
    assert found == pytest.approx(others, abs=4e-7 * float(total) + 1e-30)
    assert found >= 0.0


def test_a_lone_cell_has_no_interference_in_spite_of_rounding() -> None:
    levels = np.linspace(-130.0, -40.0, 1000)
    total = (0.7 * 10.0 ** (0.1 * levels)).astype(np.float32)
    assert np.all(throughput.interference_mw(total, levels, 0.7) == 0.0)


def test_rates_by_hand() -> None:
    # 20 MHz LTE at the cap: 4.4 x 20 x 0.75 x 1.6; two thirds of it on the downlink of TDD.
    assert throughput.downlink_rate_mbps("4G", 40.0, 20.0) == pytest.approx(105.6)
    assert throughput.downlink_rate_mbps("4G", 40.0, 20.0, tdd=True) == pytest.approx(79.2)
    assert throughput.downlink_rate_mbps("4G", 0.0, 10.0, resource_share=0.5) == pytest.approx(3.6)
    # HSDPA category 10 gives 14.4 Mbit/s on one carrier, less pilot and control power.
    assert throughput.downlink_rate_mbps("3G", 40.0, 5.0) == pytest.approx(14.4 * 0.8)
    assert throughput.downlink_rate_mbps("3G", 40.0, 10.0) == pytest.approx(28.8 * 0.8)
    assert throughput.downlink_rate_mbps("2G", 40.0, 0.2) is None


@given(
    st.sampled_from(["3G", "4G", "5G"]),
    st.floats(0.05, 100.0),
    st.sampled_from([5.0, 10.0, 20.0, 100.0]),
    st.booleans(),
)
def test_the_needed_sinr_gives_the_rate_and_no_less_does(
    name: str, rate: float, bandwidth: float, tdd: bool
) -> None:
    needed = throughput.sinr_for_rate_db(name, rate, bandwidth, tdd=tdd)
    assert needed is not None
    most = throughput.downlink_rate_mbps(name, 100.0, bandwidth, tdd=tdd)
    assert most is not None
    if np.isinf(needed):
        assert most < rate
        return
    enough = throughput.downlink_rate_mbps(name, needed + 1e-6, bandwidth, tdd=tdd)
    short = throughput.downlink_rate_mbps(name, needed - 1e-3, bandwidth, tdd=tdd)
    assert enough is not None
    assert short is not None
    assert enough >= min(rate, float(most)) * (1.0 - 1e-9)
    assert short < rate


@given(st.floats(-30.0, 60.0), st.floats(0.0, 20.0))
def test_more_sinr_never_gives_less(sinr: float, more: float) -> None:
    for name in ("3G", "4G", "5G"):
        low = throughput.downlink_rate_mbps(name, sinr, 10.0)
        high = throughput.downlink_rate_mbps(name, sinr + more, 10.0)
        assert low is not None
        assert high is not None
        assert high >= low


def test_unpaired_bands() -> None:
    assert throughput.is_tdd("5G", 3600.0)
    assert throughput.is_tdd("4G", 2350.0)
    assert not throughput.is_tdd("4G", 1800.0)
    assert not throughput.is_tdd("3G", 2350.0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("4G,0.6", "4G,6", "row 3, column attenuation: 6 (expected a number from 0.01 to 1)"),
        ("4G,0.6", "4G,half", "row 3, column attenuation: half"),
        ("4G,0.6", "2G,0.6", "row 3, column technology: 2G"),
        ("4G,0.6", "5G,0.6", "row 4, column technology: 5G"),
        ("overhead,mimo", "over,mimo", "column overhead is missing"),
    ],
)
def test_faults_of_a_users_table_are_named(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(throughput.TABLE.read_text().replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        throughput.rate_models(path)
    assert expected in str(caught.value)


def test_a_users_table_wins(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(
        throughput.TABLE.read_text().replace("4G,0.6,-10,4.4,0.25,1.6", "4G,0.6,-10,4.4,0.25,1.8")
    )
    models = throughput.rate_models(path)
    assert throughput.downlink_rate_mbps("4G", 40.0, 20.0, models=models) == pytest.approx(118.8)


@pytest.mark.parametrize(
    "call",
    [
        lambda: throughput.noise_dbm(0.0),
        lambda: throughput.metric_noise_dbm("6G", 20.0),
        lambda: throughput.downlink_rate_mbps("6G", 10.0, 20.0),
        lambda: throughput.downlink_rate_mbps("4G", 10.0, -20.0),
        lambda: throughput.downlink_rate_mbps("4G", 10.0, 20.0, resource_share=2.0),
        lambda: throughput.sinr_for_rate_db("4G", 0.0, 20.0),
    ],
)
def test_numbers_that_make_no_sense(call: object) -> None:
    with pytest.raises(InputError):
        call()  # type: ignore[operator]
