"""What stored parameters may hold."""

import numpy as np
import pytest

from tabsynth.errors import ModelFileError
from tabsynth.models.stored import require_names, stored_families, stored_marginal, stored_normal


def marginal(lower, upper, mass, **options):
    arrays = {"marginal.0.lower": lower, "marginal.0.upper": upper, "marginal.0.mass": mass}
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    return stored_marginal(arrays, 0, **{"is_lattice": True, "n_levels": None, **options})


def test_levels_may_stand_in_any_order_and_be_empty():
    found = marginal([2, 0, 1], [2, 0, 1], [0.5, 0.0, 0.5], n_levels=3)
    assert found.lower.tolist() == [2, 0, 1]


def test_pieces_may_touch_and_repeat():
    found = marginal([0.0, 0.0, 1.5], [0.0, 1.5, 1.5], [0.25, 0.5, 0.25], is_lattice=False)
    assert found.upper.tolist() == [0.0, 1.5, 1.5]
    assert not found.is_lattice


@pytest.mark.parametrize(("total", "is_sound"), [(1 + 9e-7, True), (1 - 9e-7, True), (1 + 2e-6, False), (1 - 2e-6, False)])  # fmt: skip
def test_masses_sum_to_one_but_for_rounding(total, is_sound):
    if is_sound:
        assert marginal([1, 5], [4, 5], [0.5, total - 0.5]).mass.sum() == pytest.approx(total, abs=1e-12)
    else:
        with pytest.raises(ModelFileError, match=r"'marginal\.0\.mass': not a distribution"):
            marginal([1, 5], [4, 5], [0.5, total - 0.5])


@pytest.mark.parametrize(
    ("lower", "upper", "fault"),
    [([5, 1], [5, 4], "ascending"), ([1, 5], [0, 5], "end before they start"), ([-(2**63), 0], [2**63 - 1, -1], "end before")],
)  # fmt: skip
def test_pieces_stand_in_order(lower, upper, fault):
    with pytest.raises(ModelFileError, match=fault):
        marginal(lower, upper, [0.5, 0.5])


def test_a_single_number_is_no_marginal():
    with pytest.raises(ModelFileError, match=r"expected int64 of shape \(1,\), found int64 of shape \(\)"):
        marginal(1, 1, 1.0)


def test_a_normal_of_no_axes_is_sound():
    mean, covariance = stored_normal({"mean": np.empty(0), "covariance": np.empty((0, 0))}, 0)
    assert mean.shape == (0,)
    assert covariance.shape == (0, 0)


def test_rounding_does_not_make_a_covariance_asymmetric():
    covariance = np.array([[1.0, 0.5], [0.5 + 1e-16, 1.0]])
    assert stored_normal({"mean": np.zeros(2), "covariance": covariance}, 2)[1] is covariance


def test_families_are_of_axes_that_have_them():
    assert stored_families({"families": {}}, ["1"]) == {}
    with pytest.raises(ModelFileError, match="axes that have none"):
        stored_families({"families": {"2": {"name": "x", "aic": {}, "failed": {}}}}, ["1"])


def test_names_are_exactly_those():
    require_names(["a", "b"], ["b", "a"], what="arrays")
    with pytest.raises(ModelFileError, match=r"arrays: 1 missing \(b, …\), 2 unknown"):
        require_names(["a", "c", "d"], ["a", "b"], what="arrays")
