"""Shapes carried onto another body: SMPL's and SMPL-X's layout, made of the open body, measure the same afterwards."""

import numpy as np
import pytest

from choros.body import BodyModel
from choros.body.carried_shape import carried_shape, measures, read_rest_body
from choros.body.cast import cast_of
from choros.body.open_body import read_open_body
from choros.cli.main import main
from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.skeleton import PARENTS
from tests.exporters.walkers import walkers

BODY = BodyModel.load(detail="light")


def model_file(path, joints=24, scale=1.0):
    """An SMPL-like file of other betas than ours: mixed axes, another mean, ``scale`` as large."""
    rng = np.random.default_rng(3)
    mix = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    dirs = BODY.shape_dirs.numpy().astype(np.float64).reshape(-1, 3, 10)
    template = BODY.template.numpy().astype(np.float64) + dirs @ rng.normal(0, 0.5, 10)
    regressor = np.zeros((joints, len(template)))
    regressor[:24] = read_open_body("light").joint_regressor
    parents = np.concatenate([PARENTS, np.full(joints - 24, 20)]).astype(np.int64)
    np.savez(
        path, v_template=scale * template, shapedirs=scale * dirs @ mix, J_regressor=regressor,
        f=BODY.faces.numpy(), kintree_table=np.stack([parents, np.arange(joints)]),
        weights=np.zeros(0), posedirs=np.zeros(0),
    )  # fmt: skip
    return path


@pytest.mark.parametrize(("joints", "kind"), [(24, "smpl"), (52, "smplh"), (55, "smplx")])
def test_a_person_measures_the_same_on_another_body(tmp_path, joints, kind):
    other = read_rest_body(model_file(tmp_path / "model.npz", joints))
    assert other.kind == kind
    rng = np.random.default_rng(0)
    for betas in rng.normal(0, 1, (3, 10)):
        found = carried_shape(BODY, betas, 0.0, other)
        assert abs(found.off_m["stature"]) < 2e-3
        assert max(map(abs, found.off_m.values())) < 5e-3
        mean = measures(*other.rest(np.zeros(10)), other.faces)
        own = measures(*other.rest(found.betas), other.faces)
        assert abs(own["stature"] - found.off_m["stature"] - mean["stature"]) > 5e-3  # the mean would not do
        np.testing.assert_allclose(found.joints, other.rest(found.betas)[1])


def test_of_a_box_the_measures_are_known():
    corners = np.array([[x, y, z] for x in (0.0, 1) for y in (0.0, 2) for z in (0.0, 4)])
    faces = [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]  # fmt: skip
    joints = np.zeros((24, 3))
    joints[4, 1], joints[5, 1] = 0.4, 0.6  # knees
    found = measures(corners, joints, np.array(faces))
    assert found["volume"] == pytest.approx(2)
    assert found["stature"] == 2
    assert found["thigh"] == found["shin"] == pytest.approx(0.5)


def test_a_motion_goes_onto_smplx(tmp_path, capsys):
    walkers("world").save(tmp_path / "m.npz")
    model = model_file(tmp_path / "model.npz", 55)
    options = ["--to", "amass", "--onto", str(model), "--people", "1", "-o", str(tmp_path)]
    main(["export", str(tmp_path / "m.npz"), *options])
    assert "smplx: off by 0." in capsys.readouterr().out
    with np.load(tmp_path / "m_person_1.npz") as file:
        assert file["poses"].shape == (30, 165)
        assert not file["poses"][:, 66:].any()
        assert str(file["surface_model_type"]) == "smplx"
        other = read_rest_body(model)
        pelvis = other.rest(file["betas"])[1][0] + file["trans"]
        assert file["carried_joints_m"].max() < 0.03
    person = cast_of(walkers("world"), ExportOptions(people=(1,)), up="z").people[0]
    np.testing.assert_allclose(pelvis, person.pelvis, atol=1e-6)


def test_other_files_are_refused(tmp_path):
    np.savez(tmp_path / "none.npz", v_template=np.zeros((4, 3)))
    with pytest.raises(ChorosError, match="lacks J_regressor"):
        read_rest_body(tmp_path / "none.npz")
    model_file(tmp_path / "strange.npz", 30)
    with pytest.raises(ChorosError, match="a skeleton of 30 joints; after --onto give"):
        read_rest_body(tmp_path / "strange.npz")
