"""Every energy's slope is that of its cost, and each is least where it should be."""

from dataclasses import replace

import numpy as np
import pytest

from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.glamr.energies import energies
from choros.glamr.observations import Observations
from choros.glamr.options import Sigmas
from choros.glamr.variables import WorldVariables
from choros.rotation import rotvec_to_rotmat

T, S = 4, 3


def random_world(rng):
    """People some metres in front of a camera that looks along y, everything turned a little at random."""
    level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])  # columns: right, down, ahead
    upright = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
    return WorldVariables(
        rotvec_to_rotmat(0.1 * rng.normal(size=(T, 3))) @ level,
        rng.normal(size=(T, 3)) * 0.2 + [0, -5, 1.5],
        rotvec_to_rotmat(0.4 * rng.normal(size=(T, S, 3))) @ upright,
        rng.normal(size=(T, S, 3)) * 0.4 + [0, 0, 0.9],
    )


def random_observations(rng):
    there = np.ones((T, S), bool)
    there[0, 1] = there[3, 2] = False
    linked = there[:-1] & there[1:]
    linked[1, 0] = False  # somebody else took the place
    K = np.array([[500.0, 0, 320], [0, 510, 240], [0, 0, 1]])
    return Observations(
        times_s=np.array([0.0, 0.04, 0.09, 0.12]),
        there=there,
        linked=linked,
        seen=there & (rng.random((T, S)) < 0.8),
        K=np.tile(K, (T, 1, 1)),
        keypoints=rng.normal(size=(T, S, 17, 3)) * 0.4,
        soles=rng.normal(size=(T, S, 4, 3)) * 0.1 + [0, -0.9, 0],
        balls=rng.normal(size=(T, S, 14, 3)) * 0.3,
        keypoints_px=rng.random((T, S, 17, 2)) * [640, 480],
        confidence=rng.random((T, S, 17)),
        size_px=np.full((T, S), 180.0),
        R_camera_root=rotvec_to_rotmat(rng.normal(size=(T, S, 3))),
        depth_m=rng.random((T, S)) + 5,
        step=rng.normal(size=(T - 1, S, 3)) * 0.05,
        turn=rotvec_to_rotmat(0.1 * rng.normal(size=(T - 1, S, 3))),
        up_root=np.tile([0.0, 1, 0], (T, S, 1)),
        height_m=np.full((T, S), 0.9),
        low=rng.random((T, S, 4)),
        grounded=rng.random((T, S)),
        flight=np.array([[0, 2, 0], [0, 2, 0], [0, 2, 1], [0, 2, 0]], np.int8),
    )


def all_energies(world, observations, path=None):
    rng = np.random.default_rng(7)
    ground = GroundEvidence(
        0.1 * rng.normal(size=(T - 1, 3)), rng.normal(size=(T - 1, 3)), np.array([0.8, 0, 1])
    )
    turn = rotvec_to_rotmat(0.01 * rng.normal(size=(T - 1, 3)))
    evidence = CameraEvidence(turn, np.array([1.0, 0.5, 0.0]), ground=ground)
    sigmas = replace(Sigmas(), evidence_rad=0.01, ground_step=0.05)
    return {term.name: term for term in energies(world, observations, sigmas, evidence, path)}


def varied(world, frame, unit, step):
    R_camera, camera = world.R_world_camera.copy(), world.camera_m.copy()
    R_root, root = world.R_world_root.copy(), world.root_m.copy()
    if unit == 0:
        R_camera[frame], camera[frame] = (
            rotvec_to_rotmat(step[:3]) @ R_camera[frame],
            camera[frame] + step[3:],
        )
    else:
        R_root[frame, unit - 1] = rotvec_to_rotmat(step[:3]) @ R_root[frame, unit - 1]
        root[frame, unit - 1] += step[3:]
    return WorldVariables(R_camera, camera, R_root, root)


@pytest.mark.parametrize("egocentric", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_slopes_are_those_of_the_costs(seed, egocentric):
    rng = np.random.default_rng(seed)
    world, observations = random_world(rng), random_observations(rng)
    path = None if egocentric else random_world(rng)
    terms = all_energies(world, observations, path)
    assert len(terms) == (19 if egocentric else 18)
    assert all(term.cost > 0 for term in terms.values())
    size = 1e-5
    for frame in range(T):
        for unit in range(1 + S):
            for axis in range(6):
                step = size * np.eye(6)[axis]
                more = all_energies(varied(world, frame, unit, step), observations, path)
                less = all_energies(varied(world, frame, unit, -step), observations, path)
                for name, term in terms.items():
                    slope = sum(
                        2 * (by[:, :, axis] * term.residual)[(f == frame) & (u == unit)].sum()
                        for f, u, by in term.parts
                    )
                    measured = (more[name].cost - less[name].cost) / (2 * size)
                    assert slope == pytest.approx(measured, rel=2e-4, abs=2e-4 * (1 + term.cost)), (
                        name, frame, unit, axis,
                    )  # fmt: skip
