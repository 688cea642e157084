import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cutaway.native.packed import FORMATS
from cutaway.quant.rounding import best_scales, in_groups, nearest, of_each_input, widest_scales

each_kind = pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)


def matrix(outputs=9, inputs=150, seed=0):
    return torch.randn(outputs, inputs, generator=torch.Generator().manual_seed(seed))


def loss(weight, scales, importance, kind):
    scale = of_each_input(scales, weight.shape[1], kind)
    return ((weight - nearest(weight, scale, kind) * scale).square() * importance).sum().item()


@each_kind
def test_with_the_widest_scales_no_weight_is_off_by_more_than_half_a_step(kind):
    weight = matrix()
    scale = of_each_input(widest_scales(weight, kind), weight.shape[1], kind)
    error = (weight - nearest(weight, scale, kind) * scale).abs()
    # float16 holds a scale to a part in 2,000, by which the largest weight may be cut off.
    assert (error <= scale.abs() * 0.51 + weight.abs() / 2000).all() or kind.bits == 4
    # int4 reaches from -8 to 7: a weight near the largest, of the other sign, loses up to a step.
    assert (error <= scale.abs() * 1.01 + weight.abs() / 2000).all()


@each_kind
def test_a_searched_scale_loses_no_more_than_the_widest(kind):
    weight, importance = matrix(), torch.rand(150) ** 4
    best, widest = best_scales(weight, importance, kind), widest_scales(weight, kind)
    assert loss(weight, best, importance, kind) <= loss(weight, widest, importance, kind)
    if kind.bits == 4:
        assert loss(weight, best, importance, kind) < 0.9 * loss(weight, widest, importance, kind)


@each_kind
def test_rows_and_groups_have_scales_of_their_own(kind):
    weight, importance = matrix(5000, kind.group + 3), torch.ones(kind.group + 3)
    together = best_scales(weight, importance, kind)
    for row in (0, 4095, 4096, 4999):
        for group, part in enumerate(weight[row : row + 1].split(kind.group, dim=1)):
            alone = best_scales(part, torch.ones(part.shape[1]), kind)
            assert torch.equal(alone[0, 0], together[row, group])


@each_kind
def test_scales_are_such_as_a_file_can_hold(kind):
    for scales in (widest_scales(matrix(), kind), best_scales(matrix(), torch.ones(150), kind)):
        assert torch.equal(scales, scales.half().float())
    assert widest_scales(1e9 * matrix(), kind).isfinite().all()


@each_kind
def test_a_group_of_zeros_stays_one(kind):
    weight = matrix()
    weight[:, : kind.group] = 0
    scales = best_scales(weight, torch.ones(150), kind)
    assert not scales[:, 0].any()
    assert not nearest(weight[:, :3], scales[:, :1], kind).any()


@given(st.lists(st.floats(-1000, 1000), min_size=1, max_size=20), st.sampled_from(list(FORMATS.values())))
def test_nearest_is_the_nearest_of_all_there_are(numbers, kind):
    weight, scale = torch.tensor(numbers, dtype=torch.float64), torch.tensor(0.75, dtype=torch.float64)
    every = torch.arange(kind.low, kind.high + 1) * scale
    least = (weight[:, None] - every).abs().min(1).values
    torch.testing.assert_close((weight - nearest(weight, scale, kind) * scale).abs(), least)


@each_kind
def test_groups_are_neighbours_and_the_last_is_filled_with_zeros(kind):
    weight = matrix(2, kind.group + 1)
    grouped = in_groups(weight, kind)
    assert grouped.shape == (2, 2, kind.group)
    assert torch.equal(grouped.flatten(1)[:, : kind.group + 1], weight)
    assert not grouped[:, 1, 1:].any()
