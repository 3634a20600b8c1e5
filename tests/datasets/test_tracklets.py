"""LART's tracklets and joblib's files: as they are, compressed, damaged, and hostile."""

import base64
import bz2
import gzip
import lzma
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest

from choros.datasets.joblib_file import load_joblib
from choros.datasets.tracklets import joined, read_tracklet, tracklet_name, tracklets_of
from choros.errors import ChorosError

#: What joblib 1.6.0 wrote of {"rows": arange(6, float32) (2, 3), "columns": the same in double and Fortran's order,
#: "nothing": (0, 4), "table": {0: ones (1, 3), -1: [1, "two", float32(3)]}}, compressed by zlib.
WRITTEN = zlib.decompress(base64.b85decode(
    'c-m!BOH0E*5Kh|ElolVw`T#E;>!pHt@F28O^kAR|J$RC^Nn<y<d5{Ms2cceSg}phs`^Wqb{)0NnrVZAQ?9L9EZ|0lXohs?K'
    'B=8Cyt_0pB1it(18O%1iZtVDp?%U=Ivw*jTnR^ukBzXvk?^^+U!pR$C#CjMTCL<w|YdH(J>W)Yji$S~=QsP^nRkZ31Jues`'
    'nacw_kD>(s(E9R((Uqrj_?W-L9dxuRmoH&B9NsPv`KCz`7`#Ck^Cr6E5Fh6JNGQ$g>4e#1*RkA4H<HK-LEDK9bs->Ho%V3+'
    '<A-aC>#LvM7gOM>>9N>xL!gT2jjFUkn?gF><nj&BZQ4SS7o|wL_g^ACnA5|oc5_ie`h$93*q@%TJB2S5w%t!pSGrs;qP9C;'
    '*ClC6ri*T&s^eA7Wxwg!l3$C6fwzc6O<GGKi`LdsD5c(|zS5@GMc%yMM@%a7YBceH@8?(1)lDz3x=zd@Tf73k5t@XN?9I^j'
    'K*@#=Gn}3k$K79!F5^D'
))  # fmt: skip


@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress, bz2.compress, lzma.compress])
def test_what_joblib_wrote(tmp_path, pack):
    path = tmp_path / "some.pkl"
    path.write_bytes(pack(WRITTEN))
    content = load_joblib(path, "fetch it again")
    np.testing.assert_array_equal(content["rows"], np.arange(6).reshape(2, 3))
    assert content["rows"].dtype == np.float32
    np.testing.assert_array_equal(content["columns"], np.arange(6).reshape(2, 3))
    assert content["nothing"].shape == (0, 4)
    np.testing.assert_array_equal(content["table"][0], np.ones((1, 3)))
    assert content["table"][-1] == [1, "two", 3]


@pytest.mark.parametrize("pack", [bytes, zlib.compress, gzip.compress])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused(tmp_path, pack, kept):
    path = tmp_path / "some.pkl"
    whole = pack(WRITTEN)
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ChorosError, match="fetch it again"):
        load_joblib(path, "fetch it again")


class Canary:
    def __reduce__(self):
        return Path.touch, (Path("sung"),)


def test_nothing_in_a_file_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "some.pkl"
    path.write_bytes(zlib.compress(pickle.dumps({"fid": Canary()})))
    with pytest.raises(ChorosError, match="was refused before it could run"):
        load_joblib(path, "fetch it again")
    assert not (tmp_path / "sung").exists()


def content(n=4):
    """A file as its authors describe it."""
    rng = np.random.default_rng(0)
    guessed = {0: rng.random((1, 80)), 1: rng.random((1, 80))}
    return {
        "fid": 7 + np.arange(n).reshape(n, 1, 1),
        "pose_shape": rng.normal(size=(n, 1, 229)),
        "3d_joints": rng.normal(size=(n, 1, 45, 3)),
        "camera": rng.normal(size=(n, 1, 3)),
        "camera_bbox": rng.normal(size=(n, 1, 3)),
        "action_label_gt": np.eye(80)[[3] * n][:, None],
        "action_label_psudo": guessed,
        "has_gt": np.array([0, 1, 2, 1]).reshape(n, 1, 1),
        "has_detection": np.array([1, 1, 0, 1]).reshape(n, 1, 1),
        "apperance_index": np.array([-1, 0, 1, 1]).reshape(n, 1, 1),
        "apperance_dict": {0: np.full((1, 5), 2.0), 1: np.full((1, 5), 3.0)},
        "frame_name": ["a.jpg"] * n,
        "frame_size": np.tile([300, 400], (n, 1)).reshape(n, 1, 2),
        "frame_bbox": np.tile([10.0, 20, 30, 40], (n, 1)).reshape(n, 1, 4),
        "frame_conf": np.full((n, 1, 1), 0.9),
    }


def test_a_tracklet(tmp_path):
    path = tmp_path / "ava-train_053oq2xB3oU_000150_3_4.pkl"
    raw = content()
    path.write_bytes(pickle.dumps(raw))
    read = read_tracklet(path)
    assert read.frames.tolist() == [7, 8, 9, 10]
    assert read.detected.tolist() == [True, True, False, True]
    np.testing.assert_allclose(read.joints, raw["3d_joints"][:, 0] + raw["camera"], rtol=1e-5)
    assert (read.labels[0] == 0).all()  # by nobody
    np.testing.assert_allclose(read.labels[1], raw["action_label_psudo"][0][0], rtol=1e-6)
    assert np.flatnonzero(read.labels[2]).tolist() == [3]  # by people
    np.testing.assert_allclose(read.labels[3], raw["action_label_psudo"][1][0], rtol=1e-6)
    assert read.appearance[:, 0].tolist() == [0, 2, 3, 3]
    assert read.box_px[0].tolist() == [10, 20, 40, 60]
    assert read.size_px[0].tolist() == [400, 300]
    assert read.pictures == ("a.jpg",) * 4
    assert joined(np.array([5, 8, 9, 12]), read.frames).tolist() == [-1, 1, 2, -1]


def test_without_looks_there_is_none(tmp_path):
    path = tmp_path / "kinetics-train_abc_def_000000_0_4.pkl"
    path.write_bytes(pickle.dumps(content() | {"apperance_dict": {}}))
    assert read_tracklet(path).appearance is None


@pytest.mark.parametrize(
    ("change", "why"),
    [({"pose_shape": np.zeros((4, 1, 200))}, "cannot reshape"), ({"has_gt": None}, "not in LART's tracklets'"),
     ({"frame_name": ["a.jpg"]}, "1 names of 4 frames"),
     ({"action_label_psudo": {0: np.zeros((1, 60))}}, "labels of shape")],
)  # fmt: skip
def test_another_form_is_refused(tmp_path, change, why):
    path = tmp_path / "ava-val_x_000000_0_4.pkl"
    path.write_bytes(pickle.dumps(content() | change))
    with pytest.raises(ChorosError, match=why):
        read_tracklet(path)


def test_names(tmp_path):
    name = tracklet_name(Path("ava-train_-5KQ66BBWC4_x_000150_3_128.pkl"))
    assert name.clip == ("ava-train", "-5KQ66BBWC4_x", "000150")
    assert name.track == 3
    for part in ("a_b_1_10_8.pkl", "a_b_1_2_8.pkl", "deep/a_c_1_0_8.pkl"):
        (tmp_path / part).parent.mkdir(exist_ok=True)
        (tmp_path / part).touch()
    clips = tracklets_of(tmp_path)
    assert [path.name for path in clips["a", "b", "1"]] == ["a_b_1_2_8.pkl", "a_b_1_10_8.pkl"]
    assert len(clips) == 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(ChorosError, match="holds no tracklets"):
        tracklets_of(tmp_path / "empty")
    (tmp_path / "other.pkl").touch()
    with pytest.raises(ChorosError, match="not called SET_FILM"):
        tracklets_of(tmp_path)
