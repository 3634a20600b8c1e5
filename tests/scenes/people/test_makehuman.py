"""MakeHuman's garments: the file's arithmetic in closed form, and the way from its stance to our bodies."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.kinematics import forward_kinematics, rotation_matrices
from choros.errors import ChorosError
from choros.scenes import SceneConfig, make_scene
from choros.scenes.people.actors import BodyMaker
from choros.scenes.people.dressing import Closet, dress
from choros.scenes.people.makehuman import (
    Wardrobe,
    fitted,
    hidden_skin,
    limb_moves,
    read_faces,
    read_garment,
    read_mhclo,
    read_wardrobe,
    stance,
)
from choros.scenes.people.person_appearance import sample_appearance
from choros.skeleton import JOINT_NAMES

SHARED = Path(__file__).parents[4] / "shared/assets/makehuman"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="MakeHuman's assets are not beside the repository"
)

HEADER = "# a comment\nuuid 1\nbasemesh hm08\ntag Casual\nobj_file thing.obj\n"


@pytest.fixture(scope="module")
def body_maker():
    return BodyMaker()


def sleeve(folder, body_maker):
    """A shirt sleeve exactly on the skin of our body in the stance, tied to single vertices of the base mesh."""
    rest = body_maker.rest(np.zeros(10))
    left = [JOINT_NAMES.index(f"left_{name}") for name in ("shoulder", "elbow")]
    chosen = np.isin(rest.skin.weights.argmax(axis=1), left)
    chosen &= rest.skin.weights[:, left].sum(axis=1) > 0.9
    faces = rest.skin.faces[chosen[rest.skin.faces].all(axis=1)]
    used, faces = np.unique(faces, return_inverse=True)
    base, body = stance().base, stance().body
    near = stance().of_base[used]
    offset = body[used] - base[near]
    # Scales of 1: the distance of two vertices, over that distance.
    scales = (
        "".join(f"{axis}_scale 0 100 {abs(base[0, k] - base[100, k])!r}\n" for k, axis in enumerate("xyz"))
        .replace("np.float64(", "")
        .replace(")", "")
    )
    ties = "".join(
        f"{n} 0 0 1 0 0 {x:.6f} {y:.6f} {z:.6f}\n" for n, (x, y, z) in zip(near, offset, strict=True)
    )
    (folder / "thing.mhclo").write_text(HEADER + scales + "verts 0\n" + ties + "\ndelete_verts\n3 7 - 9\n")
    corners = "".join(f"f {a + 1}/1 {b + 1}/1 {c + 1}/1\n" for a, b, c in faces.reshape(-1, 3))
    (folder / "thing.obj").write_text("v 0 0 0\n" + corners)
    return used


def test_mhclo_in_closed_form(tmp_path):
    base = np.array([[0.0, 0, 0], [2, 0, 0], [0, 4, 0], [0, 0, 8]])
    (tmp_path / "a.mhclo").write_text(
        HEADER
        + "x_scale 0 1 4.0\ny_scale 0 2 2.0\nz_scale 3 0 8.0\nz_depth 5\nverts 0\nmaterial some.mhmat\n"
        + "1 2 3 0.5 0.25 0.25 1.0 1.0 -1.0\n"  # half of x, twice of y, once of z
        + "2\n"
        + "delete_verts\n0 2 - 3\n"
    )
    points, mesh, hides = read_mhclo(tmp_path / "a.mhclo", base)
    np.testing.assert_allclose(points, [[1.0 + 0.5, 1.0 + 2.0, 2.0 - 1.0], [0, 4, 0]])
    assert mesh == tmp_path / "thing.obj"
    assert hides.tolist() == [True, False, True, True]


def test_faces_of_an_obj_become_triangles(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nf 1/1 2/2 3/3 4/4\nf 5 6 7\n")
    assert read_faces(tmp_path / "a.obj").tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]


def test_limb_moves_find_a_known_similarity():
    rng = np.random.default_rng(0)
    before, weights = rng.normal(size=(300, 3)), rng.dirichlet(np.ones(24), 300)
    R = Rotation.from_rotvec([0.3, -0.8, 0.5]).as_matrix()
    A, b = limb_moves(before, 1.3 * before @ R.T + [1, 2, 3], weights)
    np.testing.assert_allclose(A, np.broadcast_to(1.3 * R, (24, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(b, np.broadcast_to([1.0, 2, 3], (24, 3)), atol=1e-12)


@pytest.mark.parametrize(("seed", "kid"), [(None, 0.0), (1, 0.0), (2, 0.0), (3, 1.0)])
def test_cloth_on_the_skin_stays_on_the_skin_of_every_body(tmp_path, body_maker, seed, kid):
    used = sleeve(tmp_path, body_maker)
    betas = np.zeros(10) if seed is None else np.random.default_rng(seed).normal(size=10)
    skin = body_maker.rest(betas, kid).skin
    garment = read_garment(tmp_path / "thing.mhclo")
    np.testing.assert_allclose(garment.points, stance().body[used], atol=1e-5)
    points, weights, nearest = fitted(garment, skin.points, skin.weights)
    away = np.linalg.norm(points - skin.points[used], axis=1)
    assert np.median(away) < 0.005
    assert away.max() < 0.025  # along its cut edges, which smoothing draws inwards
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-9)
    assert np.linalg.norm(skin.points[nearest] - skin.points[used], axis=1).max() < 0.03


def test_a_sleeve_follows_a_bent_arm(tmp_path, body_maker):
    used = sleeve(tmp_path, body_maker)
    rest = body_maker.rest(np.zeros(10))
    points, weights, _ = fitted(read_garment(tmp_path / "thing.mhclo"), rest.skin.points, rest.skin.weights)
    pose = torch.zeros(24, 3, dtype=torch.float64)
    pose[JOINT_NAMES.index("left_shoulder")] = torch.tensor([0.0, 0.0, -1.1])
    pose[JOINT_NAMES.index("left_elbow")] = torch.tensor([0.0, -1.2, 0.0])
    turns, shifts = forward_kinematics(rotation_matrices(pose.flatten()), torch.from_numpy(rest.joints))
    local = np.einsum("jab,vjb->vja", turns.numpy(), points[:, None] - rest.joints)
    cloth = np.einsum("vj,vja->va", weights, local + rest.joints + shifts.numpy())
    local = np.einsum("jab,vjb->vja", turns.numpy(), rest.skin.points[used][:, None] - rest.joints)
    arm = np.einsum("vj,vja->va", rest.skin.weights[used], local + rest.joints + shifts.numpy())
    assert np.linalg.norm(arm - rest.skin.points[used], axis=1).max() > 0.3
    away = np.linalg.norm(cloth - arm, axis=1)
    assert np.median(away) < 0.005
    assert away.max() < 0.03


def test_clothes_are_found_by_their_tags_and_folders(tmp_path):
    for folder, name, tag in [
        ("clothes/a", "a", "Casual"), ("clothes/b", "b", "Shoes"), ("clothes/c", "c", "Hats"), ("hair/d", "d", "Long"),
    ]:  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.mhclo").write_text(f"tag {tag}\n")
    paths = Wardrobe(tmp_path).paths
    assert {kind: [p.stem for p in found] for kind, found in paths.items()} == {
        "outfit": ["a"], "shoes": ["b"], "hat": ["c"], "hair": ["d"],
    }  # fmt: skip


def test_what_cannot_be_worn_is_named(tmp_path):
    with pytest.raises(ChorosError, match=r"holds no \.mhclo"):
        read_wardrobe(tmp_path / "nowhere")
    config = SceneConfig(width=64, height=64, seconds=0.1, wardrobe=tmp_path / "nowhere")
    with pytest.raises(ChorosError, match=r"holds no \.mhclo"):
        make_scene("easy", 1, config)
    broken = tmp_path / "broken.mhclo"
    broken.write_text(HEADER + "verts 0\n99999 1 2 0.5 0.5 0 0 0 0\n")
    with pytest.raises(ChorosError, match=r"broken\.mhclo is not a \.mhclo"):
        read_garment(broken)
    broken = tmp_path / "lonely.mhclo"
    broken.write_text(HEADER + "verts 0\n1 2 3 0.5 0.5 0 0 0 0\n")
    with pytest.raises(ChorosError, match=r"thing\.obj is missing"):
        read_garment(broken)
    (tmp_path / "thing.obj").write_text("f 1 2 7\n")
    broken = tmp_path / "other.mhclo"
    broken.write_text(HEADER + "verts 0\n1 2 3 0.5 0.5 0 0 0 0\n")
    with pytest.raises(ChorosError, match=r"thing\.obj is not the mesh of"):
        read_garment(broken)


def test_the_stance_is_our_body():
    """It is as high as its build is, and mirror-symmetric."""
    body = BodyModel.load()
    assert body.mirror is not None
    standing = stance().body
    away = np.linalg.norm(standing[body.mirror.numpy()] * [-1, 1, 1] - standing, axis=1)
    assert np.quantile(away, 0.98) < 0.001
    assert away.max() < 0.03  # in the mouth and around the eyes
    assert 1.5 < np.ptp(standing[:, 1]) < 1.8


@needs_shared
def test_every_garment_fits_big_and_small(body_maker):
    wardrobe = read_wardrobe(SHARED)
    assert {kind: len(paths) for kind, paths in wardrobe.paths.items()} == {
        "outfit": 12, "shoes": 6, "hat": 2, "hair": 10,
    }  # fmt: skip
    small = body_maker.rest(np.array([-1.5, 1, 0, 0, 0, -1, 0, 0, 0, 0]), 0.9).skin
    big = body_maker.rest(np.array([1.5, -1, 0, 0, 0, 1.5, 0, 0, 0, 0])).skin
    for paths in wardrobe.paths.values():
        for path in paths[::3]:
            garment = read_garment(path)
            for skin in (small, big):
                points, _, nearest = fitted(garment, skin.points, skin.weights)
                height = np.sum((points - skin.points[nearest]) * skin.normals()[nearest], axis=1)
                # Linings and locks of hair may dip under the skin; the garment as a whole lies on it.
                assert np.quantile(height, 0.1) > -0.04, path
                assert np.quantile(height, 0.5) > 0.0, path
                assert height.max() < 0.16, path


@needs_shared
def test_dressed_from_the_wardrobe_alike_each_time(body_maker):
    closet = Closet(read_wardrobe(SHARED))
    rest = body_maker.rest(np.zeros(10))
    worn = 0
    for seed in range(4):
        appearance = sample_appearance(np.random.default_rng(seed))
        one, two, ours = (
            dress(rest, appearance, closet),
            dress(rest, appearance, closet),
            dress(rest, appearance),
        )
        np.testing.assert_array_equal(one.points, two.points)
        np.testing.assert_array_equal(one.textures, two.textures)
        worn += len(one.points) != len(ours.points)
    assert worn >= 2
    shoes = read_garment(closet.wardrobe.paths["shoes"][0])
    toes = rest.skin.points[:, 2] > rest.skin.points[rest.skin.points[:, 1] < -1.1, 2].max() - 0.03
    assert hidden_skin(shoes)[toes & (rest.skin.points[:, 1] < -1.1)].all()
