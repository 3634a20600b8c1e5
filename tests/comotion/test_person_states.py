"""The geometry of people and pictures: equations 1 and 2, SMPL's own words, padding."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from choros.body import BodyModel
from choros.camera import project
from choros.comotion.person_states import (
    PersonStates,
    pixels_per_metre,
    place_pelvis,
    project_safely,
    standing_columns,
    standing_in_boxes,
    standing_rotations,
)
from choros.rotation import columns_to_rotmat

BODY = BodyModel.load(detail="light")


def camera(focal_px: float, squeeze: float = 1.0, cx: float = 250.0, cy: float = 240.0) -> torch.Tensor:
    return torch.tensor([[focal_px, 0, cx], [0, focal_px * squeeze, cy], [0, 0, 1]])


def someone(n: int = 3, seed: int = 0) -> PersonStates:
    g = torch.Generator().manual_seed(seed)
    return PersonStates(
        columns_to_rotmat(torch.randn(1, n, 24, 6, generator=g)),
        torch.randn(1, n, 10, generator=g),
        torch.randn(1, n, 3, generator=g) + torch.tensor([0.0, 0.0, 5.0]),
        torch.randn(1, n, 8, generator=g),
        torch.ones(1, n, dtype=torch.bool),
    )


@given(st.floats(100, 5000), st.floats(100, 5000), st.floats(0.5, 2), st.floats(0, 500), st.floats(-2, 6))
def test_another_camera_puts_the_same_people_on_the_same_pixels(focal, other, squeeze, x, rho):
    pelvis_px, rho = torch.tensor([x, 321.0]), torch.tensor(rho)
    here, there = camera(focal), camera(other, squeeze, cx=100.0)
    near, far = place_pelvis(pelvis_px, rho, here), place_pelvis(pelvis_px, rho, there)
    torch.testing.assert_close(project(near, here), pelvis_px, atol=1e-2, rtol=1e-4)
    torch.testing.assert_close(project(far, there), pelvis_px, atol=1e-2, rtol=1e-4)
    assert math.isclose(far[2] / near[2], other / focal, rel_tol=1e-5)
    torch.testing.assert_close(
        pixels_per_metre(far[2].clamp_min(0.1), there),
        rho.clamp_max(math.log(other / 0.1)),
        atol=1e-4,
        rtol=1e-4,
    )


def test_someone_who_stands_in_a_box_is_as_high_as_it():
    K = camera(600.0)
    middle, rho = standing_in_boxes(torch.tensor([200.0, 100.0, 300.0, 440.0]), 1.7)
    pelvis = place_pelvis(middle, rho, K)
    top, bottom = (project(pelvis + torch.tensor([0.0, dy, 0.0]), K)[1] for dy in (-0.85, 0.85))
    torch.testing.assert_close(torch.stack([top, bottom]), torch.tensor([100.0, 440.0]))


def test_smpls_parameters_say_the_same_body():
    people = someone()
    spoken = BODY.joints(people.params(BODY))
    torch.testing.assert_close(people.joints_cam(BODY), spoken, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(people.joints_cam(BODY)[..., 0, :], people.pelvis_cam)


def test_gradients_by_way_of_smpls_parameters_are_the_same():
    # Also half a turn from zero and at zero, where axis-angle is awkward: a standing body has both.
    columns = torch.cat([standing_columns()[None], torch.randn(2, 24, 6)])[None].requires_grad_()
    people = someone()._replace(rotations=columns_to_rotmat(columns))
    weights = torch.randn(1, 3, 24, 3)
    (direct,) = torch.autograd.grad((people.joints_cam(BODY) * weights).sum(), columns, retain_graph=True)
    (spoken,) = torch.autograd.grad((BODY.joints(people.params(BODY)) * weights).sum(), columns)
    torch.testing.assert_close(spoken, direct, atol=1e-4, rtol=1e-3)


def test_the_standing_body_is_upright_faces_the_camera_and_lets_its_arms_hang():
    stand = someone(1)._replace(
        rotations=standing_rotations()[None, None],
        betas=torch.zeros(1, 1, 10),
        pelvis_cam=torch.zeros(1, 1, 3),
    )
    joints = stand.joints_cam(BODY)[0, 0]
    assert joints[15, 1] < -0.4 < 0.6 < joints[7, 1]  # head above, ankle below: y is down
    assert joints[20, 0] > 0.1 > -0.1 > joints[21, 0]  # their left is on the right of the picture
    assert (joints[20:22, 1] > joints[16:18, 1] + 0.3).all()  # wrists under shoulders
    assert joints[10, 2] < joints[7, 2]  # toes towards the camera


def test_points_behind_the_camera_have_finite_images():
    points = torch.tensor([[0.0, 0.0, -3.0], [1.0, 2.0, 0.0], [0.0, 0.0, 5.0]])
    seen = project_safely(points, camera(500.0))
    assert seen.isfinite().all()
    torch.testing.assert_close(seen[2], torch.tensor([250.0, 240.0]))


def test_padding_is_emptied_and_nobody_else():
    people = someone()
    spoiled = PersonStates(*(part.clone() for part in people))
    for part in spoiled[:4]:
        part[:, 1] = torch.nan
    spoiled.present[:, 1] = False
    clean = spoiled.cleaned()
    assert all(part.isfinite().all() for part in clean)
    for part, before in zip(clean[:4], people[:4], strict=True):
        assert torch.equal(part[:, ::2], before[:, ::2])
