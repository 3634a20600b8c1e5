"""TRACE's losses: closed forms, and the published program's mistakes, which are not ours."""

import pytest
import torch

from choros.rotation import rotvec_to_rotmat
from choros.training.trace.losses import (
    aligned_error,
    focal_centre,
    focal_volume,
    joints_error,
    mean_of,
    path_error,
    procrustes_aligned,
    relative_turn_error,
    rotation_difference,
)


def turns(*rotvecs):
    return rotvec_to_rotmat(torch.tensor(rotvecs, dtype=torch.float64))


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_procrustes_undoes_similarities_of_any_number_of_people(people):
    """The published helper takes a batch of 2 or 3 people for transposed, which this is the regression test of."""
    generator = torch.Generator().manual_seed(people)
    onto = torch.randn(people, 24, 3, generator=generator, dtype=torch.float64)
    R = rotvec_to_rotmat(torch.randn(people, 3, generator=generator, dtype=torch.float64))
    moved = 1.7 * onto @ R.mT + torch.randn(people, 1, 3, generator=generator, dtype=torch.float64)
    assert procrustes_aligned(moved, onto) == pytest.approx(onto, abs=1e-9)
    assert aligned_error(moved, onto) == pytest.approx(torch.zeros(people), abs=1e-9)
    assert joints_error(moved, onto).min() > 0.1


@pytest.mark.parametrize("people", [2, 3])
def test_each_person_is_aligned_by_themselves(people):
    generator = torch.Generator().manual_seed(0)
    points, onto = (torch.randn(people, 24, 3, generator=generator) for _ in range(2))
    together = aligned_error(points, onto)
    alone = torch.cat([aligned_error(points[k : k + 1], onto[k : k + 1]) for k in range(people)])
    assert together == pytest.approx(alone, abs=1e-6)


def test_a_mirrored_person_is_not_aligned():
    onto = torch.randn(1, 24, 3, generator=torch.Generator().manual_seed(1))
    assert aligned_error(onto * torch.tensor([-1.0, 1, 1]), onto).item() > 0.3


@pytest.mark.parametrize("shape", [(3, 24), (24, 3), (2, 3, 24)])
def test_procrustes_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="not \\(N, J, 3\\)"):
        procrustes_aligned(torch.zeros(shape), torch.zeros(shape))


def test_relative_turns_are_the_shorter_way():
    predicted, truth = turns([0, 0, 0.0], [0, 0, 0.3]), turns([0, 0, 0.0], [0, 0, -0.2])
    assert relative_turn_error(predicted, truth, torch.tensor([[0, 1], [1, 0]])).tolist() == pytest.approx(
        [0.5] * 2
    )
    # Quaternions of these have a negative dot product: without its sign the angle would be 350 degrees.
    predicted = turns([0, 0, 0.0], [0, 0, torch.pi - 0.05])
    truth = turns([0, 0, 0.0], [0, 0, -torch.pi + 0.05])
    assert relative_turn_error(predicted, truth, torch.tensor([[0], [1]])).item() == pytest.approx(
        0.1, abs=1e-4
    )


def test_a_common_turn_of_the_world_is_no_relative_turn():
    predicted = turns([0.1, 0.2, 0.3], [0.3, -0.4, 0.1])
    truth = turns([0, 1.0, 0]) @ predicted
    assert relative_turn_error(predicted, truth, torch.tensor([[0], [1]])).item() < 1e-4


def test_rotation_difference_is_frobenius():
    a, b = turns([0, 0, 0.0]), turns([0, 0, torch.pi / 2])
    assert rotation_difference(a, b).item() == pytest.approx(2.0, abs=1e-6)


def test_paths_count_up_to_scale_or_in_metres():
    truth = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 2, 0], [5, 5, 5], [5, 6, 5]])
    track, pairs = torch.tensor([0, 0, 0, 1, 1]), torch.tensor([[0, 1, 3], [2, 0, 4]])
    predicted = truth / torch.tensor([4.0, 4, 4, 0.5, 0.5])[:, None]
    assert path_error(predicted, truth, track, pairs, False) == pytest.approx(torch.zeros(3), abs=1e-5)
    metric = path_error(predicted, truth, track, pairs, True)
    assert metric.tolist() == pytest.approx([0.75 * 5**0.5, 0.75, 1.0])


def test_a_path_that_stands_is_not_scaled_without_end():
    truth = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    wrong = path_error(truth * 1e-4, truth, torch.zeros(2), torch.tensor([[0], [1]]), False)
    assert wrong.item() == pytest.approx(1 - 1e-3, abs=1e-6)  # ten times at most


def test_centre_maps_that_are_right_cost_nothing():
    truth = torch.zeros(2, 16, 16)
    truth[0, 4, 5] = 1
    assert focal_centre(truth.clone(), truth).item() < 1e-4
    blank = focal_centre(torch.zeros(2, 16, 16), truth).item()
    assert blank > 0.2
    assert (
        focal_volume(truth[:, None].expand(2, 4, 16, 16), truth[:, None].expand(2, 4, 16, 16)).item() < 1e-4
    )


def test_near_a_centre_a_false_one_costs_less():
    truth = torch.zeros(1, 16, 16)
    truth[0, 4, 5], truth[0, 4, 6] = 1, 0.9
    near, far = truth.clone(), truth.clone()
    near[0, 4, 6], far[0, 10, 10] = 0.7, 0.7
    assert focal_centre(near, truth).item() < 0.01 * focal_centre(far, truth).item()


def test_a_map_below_its_bounds_still_learns():
    predicted = torch.full((1, 8, 8), -0.5, requires_grad=True)
    truth = torch.zeros(1, 8, 8)
    truth[0, 2, 2] = 1
    focal_centre(predicted, truth).backward()
    assert predicted.grad[0, 2, 2] < 0


def test_without_anybody_nothing_blows_up():
    predicted = torch.full((2, 4, 8, 8), 0.5)
    assert focal_volume(predicted, torch.zeros_like(predicted)).item() < 50
    assert mean_of(torch.ones(3), torch.zeros(3)).item() == 0
