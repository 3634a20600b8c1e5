"""Anny: a body of known traits and poses, laid over itself, comes back; Anny's own package has people where we have."""

import sys

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from choros.errors import ChorosError
from choros.exporters import FORMATS, ExportOptions
from choros.exporters.anny.fit import arms_of, fit_poses, fit_rest, posed_by
from choros.exporters.anny.report import told
from choros.exporters.anny.texture import located
from tests.exporters.twin import BODY, in_world, of_one_shape, points
from tests.exporters.walkers import FPS, walkers


class Finger:
    """Three bones in a row along z; one trait is their length, the other how thick they are, with a kink at .5."""

    cells = np.array([[[0, 0], [1, 0.5]], [[0, 0.5], [1, 1]]])

    def __init__(self):
        rng = np.random.default_rng(0)
        self.along = rng.uniform(0, 3, 120)
        self.around = rng.normal(size=(120, 2))
        self.around /= np.linalg.norm(self.around, axis=1, keepdims=True)
        near = np.clip(1.5 - np.abs(self.along - np.array([[0.5], [1.5], [2.5]])), 0, None)
        self.weights = near / near.sum(0)

    def rest(self, traits):
        length, thick = 0.3 + 0.2 * traits[0], 0.15 + 0.1 * (traits[1] + max(traits[1] - 0.5, 0))
        return np.column_stack([thick * self.around, length * self.along]), length

    def posed(self, traits, turns):
        found = []
        for shape, turn in zip(np.broadcast_to(traits, (len(turns), 2)), turns, strict=True):
            rest, length = self.rest(shape)
            end = np.zeros(3)
            points = np.zeros_like(rest)
            for bone in range(3):
                start = np.array([0, 0, bone * length])
                points += self.weights[bone][:, None] * ((rest - start) @ turn[bone].T + end)
                end = end + turn[bone] @ [0, 0, length]
            found.append(points)
        return np.array(found)


def turns_of(rng, *shape, std=0.5):
    return (
        Rotation.from_rotvec(rng.normal(0, std, (int(np.prod(shape)), 3))).as_matrix().reshape(*shape, 3, 3)
    )


# Without Anny -------------------------------------------------------------------------------------------


def test_places_in_triangles_are_known():
    corners = np.array([[[0, 0], [1, 0], [0, 1]], [[1, 1], [1, 0], [0, 1]]], float)
    face, weights, outside = located(np.array([[0.25, 0.5], [0.9, 0.8], [-0.2, 0.5]]), corners)
    assert face.tolist() == [0, 1, 0]
    np.testing.assert_allclose(weights[:2], [[0.25, 0.25, 0.5], [0.7, 0.2, 0.1]], atol=1e-12)
    np.testing.assert_allclose(outside, [0, 0, 0.2], atol=1e-12)
    np.testing.assert_allclose(weights[2], [0.7 / 1.2, 0, 0.5 / 1.2], atol=1e-12)


@pytest.mark.parametrize("traits", [(0.2, 0.3), (0.7, 0.8), (0.5, 1.0)])
def test_a_body_laid_over_itself_has_its_own_traits(traits):
    body, rng = Finger(), np.random.default_rng(1)
    target = body.posed(np.array([traits]), turns_of(rng, 1, 3))[0] + [1, 2, 3]
    fit = fit_rest(body, target)
    np.testing.assert_allclose(fit.traits, traits, atol=1e-3)
    assert fit.off_m.max() < 1e-3


def test_points_are_linear_in_turns():
    body, rng = Finger(), np.random.default_rng(2)
    turns, traits = turns_of(rng, 5, 3, std=2), np.array([0.4, 0.6])
    np.testing.assert_allclose(
        posed_by(arms_of(body, traits), turns), body.posed(traits[None], turns), atol=1e-12
    )


def test_poses_come_back():
    body, rng = Finger(), np.random.default_rng(3)
    traits, place = np.array([0.4, 0.6]), rng.normal(size=(20, 3))
    turns, turn_at_rest = turns_of(rng, 20, 3, std=0.3), turns_of(rng, 1, 3, std=0.3)
    rest = body.posed(traits[None], turn_at_rest)[0]
    fit = fit_rest(body, rest)
    target = body.posed(traits[None], turns) + place[:, None]
    for hold, degrees, place_m in ((0, 0.1, 1e-4), (0.01, 10, 0.01)):
        found = fit_poses(body, arms_of(body, fit.traits), fit, rest, target, hold)
        apart = Rotation.from_matrix((found.turns @ turns.swapaxes(-1, -2)).reshape(-1, 3, 3)).magnitude()
        assert np.rad2deg(apart).max() < degrees
        np.testing.assert_allclose(found.place, place, atol=place_m)
        said = body.posed(fit.traits[None], found.turns) + found.place[:, None]
        assert np.linalg.norm(said - target, axis=-1).mean() < place_m


def test_without_anny_it_says_how_to_get_it(tmp_path, monkeypatch):
    for module in ("model", "write"):
        monkeypatch.delitem(sys.modules, f"choros.exporters.anny.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "anny", None)
    with pytest.raises(ChorosError, match=r"m\.anny\.npz .* package anny; run `pip install choros\[anny\]`"):
        FORMATS["anny"].write(walkers(), tmp_path / "m.anny.npz")
    assert list(tmp_path.iterdir()) == []


# With Anny, which takes some minutes to make its files the first time -------------------------------------


@pytest.fixture(scope="module")
def anny():
    return pytest.importorskip("anny")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_anny_laid_over_itself_comes_back(anny):
    from choros.exporters.anny.model import anny_bodies

    body, rng = anny_bodies(BODY).coarse, np.random.default_rng(4)
    traits = np.array([0.3, 0.8, 0.6, 0.4, 0.4, 0.7])
    assert len(body.traits) == len(traits)
    rest = body.posed(traits[None], turns_of(rng, 1, len(body.weights), std=0.1))[0]
    fit = fit_rest(body, rest)
    assert np.sqrt((fit.off_m**2).mean()) < 1.5e-3
    np.testing.assert_allclose(fit.traits, traits, atol=0.05)
    turns = turns_of(rng, 4, len(body.weights), std=0.2)
    found = fit_poses(body, arms_of(body, fit.traits), fit, rest, body.posed(traits[None], turns))
    said = body.posed(fit.traits[None], found.turns) + found.place[:, None]
    assert np.linalg.norm(said - body.posed(traits[None], turns), axis=-1).mean() < 5e-3


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_annys_own_package_has_people_where_we_have_them(anny, tmp_path):
    import torch

    motion = of_one_shape(walkers())[:8]
    options = ExportOptions(space="world", people=(1,), body=BODY)
    (file,) = FORMATS["anny"].write(motion, tmp_path / "m.anny.npz", options)
    assert file.name == "m_person_1.anny.npz"
    assert told(file).startswith("anny: skin off by ")
    with np.load(file, allow_pickle=False) as content:
        said = dict(content)
    assert (said["fps"], str(said["space"]), len(said["frames"])) == (FPS, "world", 8)
    np.testing.assert_allclose(said["times_s"], 2 + np.arange(8) / FPS)
    model = anny.Anny(skinning_method="lbs")
    assert said["bone_labels"].tolist() == model.bone_labels
    assert str(said["pose_parameterization"]) == model.pose_parameterization
    theirs = model(
        pose_parameters=torch.from_numpy(said["pose_parameters"]).to(model.dtype),
        phenotype_kwargs=dict(
            zip(said["phenotype_labels"].tolist(), said["phenotypes"].tolist(), strict=True)
        ),
    )["vertices"].numpy()
    ours = in_world(motion, 1, points(motion, 1, BODY.vertices))
    skin = BODY.parts.numpy() != BODY.part_names.index("eyes")
    for frame in range(8):  # by the nearest of Anny's vertices, which knows nothing of correspondences
        off_m = cKDTree(theirs[frame]).query(ours[frame][skin])[0]
        assert off_m.mean() < 0.008
    assert said["off_m"].max() < 0.012
    assert abs(said["stature_off_m"]) < 0.005
    assert np.allclose(said["pose_parameters"][:, 1:, :3, 3], 0, atol=1e-5)  # bones turn, and do not stretch
