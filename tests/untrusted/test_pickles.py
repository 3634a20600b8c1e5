"""No file that a user can give runs anything, whichever reader gets it: it is refused in one sentence."""

import gzip
import io
import pickle
import shutil
import time
import zipfile

import pytest

from choros import weights
from choros.body import BodyModel
from choros.camera.calibration import Calibration
from choros.camera.pose import read_pose
from choros.checkpoints import read_state_dict, what_is
from choros.checkpoints.kinds import TORCH_MAGIC
from choros.datasets.joblib_file import load_joblib
from choros.datasets.mocap.mocap_clip import load_packed
from choros.datasets.official import Official
from choros.editing import read_list
from choros.errors import ChorosError
from choros.fourdhumans.phalp_predictor import read_mean_std
from choros.motion import Motion
from choros.scenes.truth.scene_truth import SceneTruth
from choros.training.trace.clip import load_clip
from tests.untrusted.gadgets import GADGETS

SET = Official("a set", "its owners", "theirs")


def plain(evil):
    return evil


def zipped(evil):
    """PyTorch's form of today."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", evil)
        archive.writestr("a/version", "3")
    return buffer.getvalue()


def before_1_6(evil):
    """PyTorch's older form."""
    return TORCH_MAGIC + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2) + evil


def npy(evil, shape="()"):
    """An array of objects."""
    about = f"{{'descr': '|O', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(about).to_bytes(2, "little") + about + evil


def npz(*names):
    def archived(evil):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(f"{name}.npy", npy(evil))
        return buffer.getvalue()

    return archived


#: Reader, a file's name, and how a pickle gets into such a file.
READERS = [
    (BodyModel.load, "body.pkl", plain),
    (BodyModel.load, "body.npz", npz("v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f")),
    (read_state_dict, "weights.pkl", plain),
    (read_state_dict, "weights.ckpt", zipped),
    (read_state_dict, "weights.pt", before_1_6),
    *[(lambda path: weights.load(path, "comotion"), name, form) for name, form in (
        ("weights.pkl", plain), ("weights.safetensors", plain), ("weights.ckpt", zipped), ("weights.pt", before_1_6),
        ("weights.npz", npz("a")),
    )],
    (Motion.load, "motion.npz", npz("header", "pts", "frame")),
    (SET.pickle, "set.pkl", plain),
    (SET.npy, "set.npy", npy),
    (lambda path: SET.npz(path, ["a"]), "set.npz", npz("a")),
    (lambda path: load_joblib(path, "write it again"), "tracklets.pkl", plain),
    (lambda path: load_joblib(path, "write it again"), "tracklets.pkl.gz", gzip.compress),
    (read_mean_std, "mean_std.npy", npy),
    (read_pose, "pose.npy", npy),
    (Calibration.load, "camera.json", plain),
    (Calibration.load, "cameras.bin", plain),
    (read_list, "edits.toml", plain),
    (load_packed, "clips.npz", npz("starts", "name", "source")),
    (SceneTruth.load, "truth.npz", npz("person", "betas")),
    (load_clip, "clip.npz", npz("labels.content_px", "images")),
]  # fmt: skip


def left(folder):
    return {path.name for path in folder.iterdir()}


def test_the_gadgets_run_where_nobody_takes_care(tmp_path):
    assert len(GADGETS) >= 30
    for number, (name, make) in enumerate(GADGETS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        evil = make(str(folder / "trace"))
        before = left(folder)
        try:
            pickle.loads(evil)
        except Exception as error:  # some do when it has run
            said = error
        else:
            said = None
        for _ in range(200):  # a process that nobody waits for
            if left(folder) != before:
                break
            time.sleep(0.01)
        assert left(folder) != before, (name, said)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def evils(tmp_path_factory):
    """The folder of all traces, and every gadget as a pickle."""
    folder = tmp_path_factory.mktemp("traces")
    return folder, {name: make(str(folder / str(k))) for k, (name, make) in enumerate(GADGETS.items())}


@pytest.mark.parametrize(
    ("read", "name", "form"), READERS, ids=[f"{name}-{i}" for i, (_, name, _) in enumerate(READERS)]
)
def test_nothing_runs_and_one_sentence_says_so(tmp_path, evils, read, name, form):
    folder, gadgets = evils
    before, path = left(folder), tmp_path / name
    for gadget, evil in gadgets.items():
        path.write_bytes(form(evil))
        with pytest.raises(ChorosError) as refused:
            read(path)
        assert name in str(refused.value), gadget
        assert "\n" not in str(refused.value), gadget
        assert left(folder) == before, gadget


@pytest.mark.parametrize("form", [plain, zipped, before_1_6])
def test_what_a_file_is_can_be_told_without_running_it(tmp_path, evils, form):
    folder, gadgets = evils
    before, path = left(folder), tmp_path / "weights"
    for gadget, evil in gadgets.items():
        path.write_bytes(form(evil))
        what_is(path)
        assert left(folder) == before, gadget
