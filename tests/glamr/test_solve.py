"""The banded solver against a dense one."""

import numpy as np
import pytest

from choros.glamr.energies import energies
from choros.glamr.normal_equations import normal_equations
from choros.glamr.options import Sigmas
from choros.glamr.solve import _step, solve
from choros.glamr.variables import WorldVariables

from .test_energies import S, T, random_observations, random_world


def dense(world, observations):
    """Jacobian (m, 6 T (1 + S)) and residual (m,) of all energies, frame by frame, camera first."""
    U = 1 + S
    jacobians, residuals = [], []
    for term in energies(world, observations, Sigmas()):
        k, m = term.residual.shape
        J = np.zeros((k, m, T * U, 6))
        for frame, unit, by in term.parts:
            J[np.arange(k), :, frame * U + unit] += by
        jacobians.append(J.reshape(k * m, -1))
        residuals.append(term.residual.ravel())
    return np.concatenate(jacobians), np.concatenate(residuals)


@pytest.mark.parametrize("camera", ["moving", "static", "given"])
def test_a_step_is_that_of_the_dense_normal_equations(camera):
    rng = np.random.default_rng(4)
    world, observations = random_world(rng), random_observations(rng)
    J, residual = dense(world, observations)
    J = J.reshape(len(J), T, 1 + S, 6)
    tied = np.eye(T) if camera == "moving" else np.ones((T, 1)) if camera == "static" else np.zeros((T, 0))
    of_camera = np.einsum("mtc,tn->mnc", J[:, :, 0], tied).reshape(len(J), -1)
    of_people = J[:, :, 1:].reshape(len(J), -1)
    A = np.concatenate([of_camera, of_people], 1)
    H = A.T @ A
    nobody = np.diag(H) == 0
    damping = 1e-3 * np.diag(H) + np.where(nobody, 1.0, 1e-6)
    if camera == "static":
        corner = H[:6, :6]
        damping[:6] = 1e-3 * np.diag(corner - H[:6, 6:] @ np.linalg.solve(
            H[6:, 6:] + np.diag(damping[6:]), H[6:, :6])) + 1e-6 * np.trace(corner)  # fmt: skip
    expected = -np.linalg.solve(H + np.diag(damping), A.T @ residual)
    cameras = of_camera.shape[1]
    step = _step(normal_equations(energies(world, observations, Sigmas()), observations), camera, 1e-3)
    np.testing.assert_allclose(step[:, 1:].ravel(), expected[cameras:], atol=1e-8, rtol=1e-5)
    camera_step = (tied @ expected[:cameras].reshape(tied.shape[1], 6)) if cameras else np.zeros((T, 6))
    np.testing.assert_allclose(step[:, 0], camera_step, atol=1e-8, rtol=1e-5)


def test_the_energy_only_falls_and_ends_where_no_step_helps():
    rng = np.random.default_rng(5)
    world, observations = random_world(rng), random_observations(rng)
    solved = solve(world, observations, Sigmas(), "moving", max_steps=200, tolerance=1e-9)
    before = sum(term.cost for term in energies(world, observations, Sigmas()))
    assert solved.total < before
    J, residual = dense(solved.world, observations)
    assert (
        np.abs(J.T @ residual).max()
        < 0.05 * np.abs(dense(world, observations)[0].T @ dense(world, observations)[1]).max()
    )


def test_nobody_there_stays_where_they_are():
    rng = np.random.default_rng(6)
    world, observations = random_world(rng), random_observations(rng)
    solved = solve(world, observations, Sigmas(), "moving")
    np.testing.assert_array_equal(solved.world.root_m[~observations.there], world.root_m[~observations.there])


def test_a_given_camera_does_not_move_and_one_that_stands_moves_as_one():
    rng = np.random.default_rng(7)
    world, observations = random_world(rng), random_observations(rng)
    given = solve(world, observations, Sigmas(), "given").world
    np.testing.assert_array_equal(given.R_world_camera, world.R_world_camera)
    np.testing.assert_array_equal(given.camera_m, world.camera_m)
    still = WorldVariables(*(np.repeat(part[:1], T, 0) for part in (world.R_world_camera, world.camera_m)),
                  world.R_world_root, world.root_m)  # fmt: skip
    static = solve(still, observations, Sigmas(), "static").world
    np.testing.assert_allclose(static.R_world_camera, static.R_world_camera[:1].repeat(T, 0), atol=1e-12)
    assert np.abs(static.camera_m - world.camera_m[0]).max() > 1e-3
    assert np.abs(static.camera_m - static.camera_m[0]).max() < 1e-12
