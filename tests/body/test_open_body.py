"""The embedded bodies keep what `choros.body.open_body` promises of them."""

import numpy as np
import pytest

from choros.body.open_body import FILES, read_open_body
from choros.body.tables import BodyTables
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, KEYPOINT_SETS, MIRROR_JOINTS

FLIP = np.array([-1.0, 1, 1])


@pytest.fixture(scope="module", params=FILES)
def tables(request: pytest.FixtureRequest) -> BodyTables:
    return read_open_body(request.param)


def test_vertex_count_is_never_smpls(tables):
    assert tables.n_vertices != 6890
    assert 1500 < tables.n_vertices < 7000


def test_mesh_is_closed_and_faces_point_outward(tables):
    f, v = tables.faces, tables.template
    directed = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)  # no edge is walked twice the same way
    back = np.unique(directed[:, ::-1], axis=0)
    np.testing.assert_array_equal(np.unique(directed, axis=0), back)  # and every one is walked both ways
    assert len(v) - len(directed) // 2 + len(f) == 2  # Euler: one sphere
    assert np.unique(f).size == len(v)
    volume_l = 1e3 * np.einsum("fc,fc->", np.cross(v[f[:, 0]], v[f[:, 1]]), v[f[:, 2]]) / 6
    assert 50 < volume_l < 80


def test_everything_is_symmetric(tables):
    mirror, joints = tables.mirror, list(MIRROR_JOINTS)
    np.testing.assert_array_equal(mirror[mirror], np.arange(tables.n_vertices))
    np.testing.assert_allclose(tables.template[mirror] * FLIP, tables.template, atol=1e-6)
    np.testing.assert_allclose(tables.shape_dirs[mirror] * FLIP[:, None], tables.shape_dirs, atol=1e-6)
    np.testing.assert_allclose(tables.kid_dir[mirror] * FLIP, tables.kid_dir, atol=1e-6)
    np.testing.assert_allclose(tables.skin_weights[mirror][:, joints], tables.skin_weights, atol=1e-6)
    np.testing.assert_allclose(tables.joint_regressor[joints][:, mirror], tables.joint_regressor, atol=1e-6)
    faces = {tuple(np.roll(f, -f.argmin())) for f in tables.faces}
    flipped = {tuple(np.roll(f, -f.argmin())) for f in mirror[tables.faces][:, ::-1]}
    assert faces == flipped


def test_at_most_four_joints_move_a_vertex(tables):
    assert (tables.skin_weights > 0).sum(1).max() <= 4
    assert (tables.skin_weights >= 0).all()
    np.testing.assert_allclose(tables.skin_weights.sum(1), 1, atol=1e-6)


def test_joints_are_sparse_averages_inside_the_body(tables):
    assert (tables.joint_regressor >= 0).all()
    assert (tables.joint_regressor > 0).sum(1).max() <= 40
    joints = tables.joint_regressor @ tables.template
    shoulder, elbow, wrist = (joints[JOINT_NAMES.index(f"left_{j}")] for j in ("shoulder", "elbow", "wrist"))
    assert np.ptp([shoulder[1], elbow[1], wrist[1]]) < 2e-3  # the T of the T-pose
    assert np.ptp([shoulder[2], elbow[2], wrist[2]]) < 2e-3
    np.testing.assert_allclose(
        joints[0], [0, -0.2233, 0.0282], atol=2e-3
    )  # transl means what it does in SMPL


def test_both_details_are_one_body():
    full, light = read_open_body("full"), read_open_body("light")
    for of_vertices in ("template", "shape_dirs", "kid_dir"):
        a = np.tensordot(full.joint_regressor, getattr(full, of_vertices), 1)
        b = np.tensordot(light.joint_regressor, getattr(light, of_vertices), 1)
        np.testing.assert_allclose(a, b, atol=2e-3)


def test_first_beta_is_stature_and_kid_is_a_child(tables):
    def stature(offset: np.ndarray) -> float:
        return float(np.ptp((tables.template + offset)[:, 1]))

    assert stature(2 * tables.shape_dirs[..., 0]) > stature(np.zeros(3)) + 0.1
    assert 1.65 < stature(np.zeros(3)) < 1.75
    assert 1.0 < stature(tables.kid_dir) < 1.4


def test_landmarks_cover_every_keypoint_set(tables):
    wanted = {name for names in KEYPOINT_SETS.values() for name in names}
    for name in ("nose", "left_eye", "right_ear", "left_heel", "right_big_toe", "head_top"):
        assert name in wanted
        assert name in tables.landmarks
    for row in tables.landmarks.values():
        assert row.sum() == pytest.approx(1)
        assert (row >= 0).all()
    nose, top = (tables.landmarks[n] @ tables.template for n in ("nose", "head_top"))
    assert abs(nose[0]) < 1e-6
    assert nose[2] > top[2] + 0.05
    assert top[1] > tables.template[:, 1].max() - 0.01


def test_texture_and_parts(tables):
    assert tables.uv_faces.shape == tables.faces.shape
    assert tables.uv_faces.max() < len(tables.uv)
    assert tables.uv.min() >= 0
    assert tables.uv.max() <= 1
    assert {"eyes", "scalp", *JOINT_NAMES} == set(tables.part_names)
    assert (tables.parts == tables.part_names.index("eyes")).any()


def test_unknown_detail_is_refused():
    with pytest.raises(ChorosError, match="full, light"):
        read_open_body("huge")
