"""Users' SMPL files: the official layout is read, everything else is refused and nothing in it is run."""

import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from random_people import random_params
from scipy import sparse

from choros.body import BodyModel, BodyParams
from choros.body import smpl_file as smpl_file_module
from choros.body.tables import BodyTables
from choros.errors import ChorosError
from choros.skeleton import PARENTS


def make_chumpy() -> dict[str, type]:
    """Stand-ins that pickle under chumpy's names, with the state chumpy's own classes pickle."""
    made = {}
    for module, name in (("chumpy.ch", "Ch"), ("chumpy.reordering", "Select")):
        cls = type(
            name, (), {"__module__": module, "__init__": lambda self, **state: vars(self).update(state)}
        )
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, cls)
        made[name] = cls
    return made


@pytest.fixture
def chumpy(monkeypatch):
    for module in ("chumpy", "chumpy.ch", "chumpy.reordering"):
        monkeypatch.setitem(sys.modules, module, types.ModuleType(module))
    return make_chumpy()


N = 60  # vertices of the made-up body


@pytest.fixture(scope="module")
def tables() -> BodyTables:
    rng = np.random.default_rng(0)
    return BodyTables(
        name="smpl",
        source="made up",
        licence="",
        template=rng.normal(size=(N, 3)),
        shape_dirs=rng.normal(size=(N, 3, 10)),
        joint_regressor=rng.dirichlet(np.full(N, 0.1), 24),
        skin_weights=rng.dirichlet(np.full(24, 0.1), N),
        faces=rng.integers(0, N, (100, 3)),
        pose_dirs=rng.normal(size=(N, 3, 207)),
    )


@pytest.fixture(scope="module")
def official(tables) -> dict:
    """The made-up body in the keys and types of SMPL's own file, without chumpy."""
    return {
        "v_template": tables.template,
        "shapedirs": np.concatenate([tables.shape_dirs, np.zeros((N, 3, 290))], 2),  # newer files hold 300
        "posedirs": tables.pose_dirs,
        "J_regressor": sparse.csc_matrix(tables.joint_regressor),
        "weights": tables.skin_weights,
        "f": tables.faces.astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, *PARENTS[1:]], range(24)], np.uint32),
        "J": tables.joint_regressor @ tables.template,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }


def save(path: Path, content: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def assert_same_body(path: Path, tables: BodyTables) -> None:
    params = random_params(3)._replace(kid=None)
    ours = BodyModel(tables, torch.float64)
    theirs = BodyModel.load(path, dtype=torch.float64)
    assert theirs.name == "smpl"
    for points in ("joints", "vertices"):
        torch.testing.assert_close(
            getattr(theirs, points)(params), getattr(ours, points)(params), atol=1e-5, rtol=0
        )
    joints = theirs.joints(params)
    torch.testing.assert_close(theirs.keypoints(params, "smpl24"), joints, atol=1e-12, rtol=0)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_pickle_of_the_official_layout(tmp_path, official, tables, chumpy, protocol):
    select = chumpy["Select"](
        a=chumpy["Ch"](x=official["posedirs"].ravel()[::-1].copy()),
        idxs=np.arange(official["posedirs"].size)[::-1].copy(),
        preferred_shape=official["posedirs"].shape,
    )
    content = official | {
        "v_template": chumpy["Ch"](x=official["v_template"]),
        "shapedirs": chumpy["Ch"](x=official["shapedirs"], _dirty_vars=set(), _cache={}),
        "posedirs": select,
    }
    path = save(tmp_path / "basicmodel_m.pkl", content, protocol)
    for module in [m for m in sys.modules if m.startswith("chumpy")]:
        del sys.modules[module]  # reading must not need it
    assert_same_body(path, tables)


def test_npz(tmp_path, official, tables):
    path = tmp_path / "SMPL_NEUTRAL.npz"
    np.savez(path, **(official | {"J_regressor": official["J_regressor"].toarray()}))
    assert_same_body(path, tables)


def test_single_kid_axis_is_the_open_bodys(tmp_path, official):
    body = BodyModel.load(save(tmp_path / "m.pkl", official))
    still = BodyParams(*body.neutral())
    assert torch.equal(body.joints(still), body.joint_template)  # zeros ask for nothing
    with pytest.raises(ChorosError, match="kid"):
        body.joints(still._replace(kid=torch.tensor(1.0)))


def test_face_points_of_the_real_vertex_count(tmp_path, official):
    n = 6890
    rng = np.random.default_rng(0)
    content = official | {
        "v_template": rng.normal(size=(n, 3)),
        "shapedirs": np.zeros((n, 3, 10)),
        "posedirs": np.zeros((n, 3, 207)),
        "J_regressor": rng.dirichlet(np.ones(n), 24),
        "weights": rng.dirichlet(np.ones(24), n),
    }
    body = BodyModel.load(save(tmp_path / "m.pkl", content))
    params = BodyParams(*(p.float() for p in random_params(2)))._replace(kid=None)
    vertices, joints = body.vertices(params), body.joints(params)
    points = body.keypoints(params, "coco17")
    torch.testing.assert_close(points[:, :5], vertices[:, [332, 2800, 6260, 583, 4071]], atol=1e-4, rtol=0)
    torch.testing.assert_close(points[:, 5:7], joints[:, [16, 17]], atol=1e-5, rtol=0)
    with pytest.raises(ChorosError, match="head_top"):
        body.keypoints(params, "mpii16")


class Canary:
    def __init__(self, *call: object) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "payload",
    [
        lambda p: Canary(os.system, f"echo x > {p}"),
        lambda p: Canary(eval, f"open({str(p)!r}, 'w').close()"),
        lambda p: Canary(exec, f"open({str(p)!r}, 'w').close()"),
        lambda p: Canary(getattr, "text", "upper"),
        lambda p: Canary(__import__, "os"),
        lambda p: Canary(open, str(p), "w"),
        lambda p: Canary(np.load, str(p), None, True),
        lambda p: Canary(np.save, str(p), np.zeros(3)),
        lambda p: Canary(pickle.loads, b"cos\nsystem\n."),
    ],
)
def test_canary_does_not_run(tmp_path, official, payload, protocol):
    trace = tmp_path / "trace"
    for content in (payload(trace), official | {"extra": payload(trace)}):
        path = save(tmp_path / "m.pkl", content, protocol)
        with pytest.raises(ChorosError, match=r"m\.pkl: asks for"):
            BodyModel.load(path)
        assert not list(tmp_path.glob("trace*"))


def test_canary_inside_an_npz_does_not_run(tmp_path, official):
    trace = tmp_path / "trace"
    path = tmp_path / "m.npz"
    np.savez(path, **(official | {"J_regressor": np.array([Canary(os.system, f"echo x > {trace}")], object)}))
    with pytest.raises(ChorosError, match="plain arrays"):
        BodyModel.load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.full((6502, 24), 1 / 24)}, r"skin weights.*6502.*mixes two bodies"),
        ({"shapedirs": np.zeros((6890, 3, 10))}, r"shape directions.*6890"),
        ({"posedirs": np.zeros((6890, 3, 207))}, r"pose correctives"),
        ({"J_regressor": np.full((24, 6890), 1 / 6890)}, "joint regressor"),
        ({"f": np.array([[0, 1, 6889]])}, "faces"),
        ({"shapedirs": np.zeros((N, 3, 4))}, "fewer than 10 betas"),
        ({"kintree_table": np.zeros((2, 52), np.uint32)}, "52 joints"),
        ({"v_template": np.full((N, 3), np.nan)}, "not finite"),
        ({"weights": np.zeros((N, 24))}, "sum to 1"),
        ({"v_template": np.array([["a", "b", "c"]] * N)}, "cannot be read"),
        ({"v_template": {"not": "an array"}}, "cannot be read"),
        ({"kintree_table": 3}, "cannot be read"),
    ],
)
def test_mixed_up_bodies_are_refused(tmp_path, official, changes, message):
    with pytest.raises(ChorosError, match=message):
        BodyModel.load(save(tmp_path / "m.pkl", official | changes))


def test_not_a_model(tmp_path, official, monkeypatch):
    with pytest.raises(ChorosError, match="no such file"):
        BodyModel.load(tmp_path / "absent.pkl")
    (tmp_path / "m.obj").touch()
    with pytest.raises(ChorosError, match="ends in"):
        BodyModel.load(tmp_path / "m.obj")
    with pytest.raises(ChorosError, match="lacks J_regressor, f"):
        BodyModel.load(save(tmp_path / "m.pkl", {"v_template": np.zeros((5, 3))}))
    with pytest.raises(ChorosError, match="something other"):
        BodyModel.load(save(tmp_path / "m.pkl", [1, 2]))
    whole = save(tmp_path / "m.pkl", official).read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\x80\x02" + os.urandom(1000)):
        (tmp_path / "m.pkl").write_bytes(damaged)
        (tmp_path / "m.npz").write_bytes(damaged)
        for name in ("m.pkl", "m.npz"):
            with pytest.raises(ChorosError, match=name):
                BodyModel.load(tmp_path / name)
    monkeypatch.setattr(smpl_file_module, "MAX_BYTES", 1000)
    np.savez_compressed(tmp_path / "m.npz", v_template=np.zeros((1000, 3)))
    (tmp_path / "m.pkl").write_bytes(whole)
    for name in ("m.pkl", "m.npz"):
        with pytest.raises(ChorosError, match="was not read"):
            BodyModel.load(tmp_path / name)


def test_claimed_sizes_cost_nothing(tmp_path, official):
    huge = sparse.csc_matrix((1, 1))
    huge._shape = (10**9, 10**9)
    with pytest.raises(ChorosError, match="cannot be read"):
        BodyModel.load(save(tmp_path / "m.pkl", official | {"J_regressor": huge}))
