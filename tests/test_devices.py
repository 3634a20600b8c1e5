"""Devices by name: what is there, what is refused, and that a lower precision changes what it may and no more."""

from fractions import Fraction

import numpy as np
import onnxruntime
import pytest
import torch

import choros
from choros.comotion.config import ComotionConfig
from choros.comotion.network import ComotionNetwork
from choros.comotion.system import Comotion
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.run_identity import identity_of
from choros.track_video import track_to_file
from choros.video import VideoWriter

from .scenery import scenery

BOX = np.array([[40.0, 20.0, 90.0, 110.0]], np.float32)


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])


@pytest.fixture
def with_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    providers = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)


@pytest.mark.usefixtures("without_cuda")
def test_auto_is_the_cpu_where_nothing_else_is():
    assert Device("auto").torch_device() == torch.device("cpu")
    assert Device("auto").providers() == ["CPUExecutionProvider"]
    assert CPU.identity("cpu") == {}


@pytest.mark.usefixtures("with_cuda")
def test_auto_and_names_are_cuda_where_it_is():
    cuda = "CUDAExecutionProvider"
    assert Device("auto").torch_device() == torch.device("cuda:0")
    assert Device("auto").providers() == [(cuda, {"device_id": 0}), "CPUExecutionProvider"]
    assert Device("cuda").torch_device() == torch.device("cuda:0")
    assert Device("cuda:1").providers()[0] == (cuda, {"device_id": 1})
    assert Device("cpu").providers() == ["CPUExecutionProvider"]
    assert Device("cuda", "bfloat16").identity("cuda:0") == {"device": "cuda:0", "dtype": "bfloat16"}
    with pytest.raises(ChorosError, match="no device cuda:2 here, but cpu and cuda:0 and cuda:1"):
        Device("cuda:2").torch_device()


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps"])
@pytest.mark.parametrize(("system", "library"), [("lifter", "onnxruntime"), ("comotion", "PyTorch")])
def test_a_device_that_is_not_there_is_refused(system, library, device):
    with pytest.raises(
        ChorosError, match=f"{library} .*{device}.* here, but .*cpu; give one of these or auto"
    ):
        choros.load(system, device=device)


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_onnxruntime_that_goes_back_to_the_cpu_by_itself_is_no_gpu(with_cuda):
    """It does where its library is there and no driver is."""
    with pytest.raises(ChorosError, match="onnxruntime cannot compute on cuda:0 here"):
        choros.load(device="cuda")
    assert identity_of(choros.load(device="auto")) == identity_of(choros.load(device="cpu"))


class Blocks(torch.nn.Module):
    """A trunk of one's own: colours of blocks at two scales."""

    channels, strides = (3, 3), (8, 16)

    def forward(self, images):
        return [torch.nn.functional.avg_pool2d(images, stride) for stride in self.strides]


class Found:
    def detect(self, image):
        return BOX, np.array([0.9], np.float32)


TINY = ComotionConfig(
    trunk="movenet-multipose", image_size_px=128, image_width=32, attention_width=32, head_width=16, tokens=4,
    token_width=32, encoder_width=32, hidden_width=16, layers_between_people=1, layers_within_person=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def weights_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    ComotionNetwork(TINY, trunk=Blocks()).save(path, {"licence": "none"})
    return path


def rows_of(system):
    stream = system.stream()
    return np.concatenate([stream.update(scenery(1, 160, 120), i / 10).rows for i in range(3)])


def test_lower_precision_is_for_image_features_and_is_told(weights_path, tmp_path):
    parts = {"detector": Found(), "trunk": Blocks(), "weights_path": weights_path}
    exact = choros.load("comotion", **parts, device="cpu")
    lower = choros.load("comotion", **parts | {"trunk": Blocks()}, device="cpu", dtype="bfloat16")
    tokens = lower.network.encoder.tokens(
        lower.network.encoder.taken(lower._trunk(torch.rand(1, 3, 128, 128)))
    )
    assert {part.dtype for part in tokens} == {torch.float32}
    a, b = rows_of(exact), rows_of(lower)
    assert len(a) == len(b) > 0
    assert np.abs(a["transl"] - b["transl"]).max() < 0.2
    assert not np.array_equal(a["transl"], b["transl"])
    assert identity_of(lower)["dtype"] == "bfloat16"
    assert "dtype" not in identity_of(exact)
    with VideoWriter(tmp_path / "clip.mp4", 160, 120, Fraction(10)) as writer:
        for i in range(3):
            writer.write(scenery(1, 160, 120), Fraction(i, 10))
    track_to_file(tmp_path / "clip.mp4", tmp_path / "motion.npz", exact)
    with pytest.raises(ChorosError, match="begun without --dtype, this run is with --dtype bfloat16"):
        track_to_file(tmp_path / "clip.mp4", tmp_path / "motion.npz", lower, resume=True)


def test_a_trunk_of_ones_own_takes_the_place_of_the_weights_own(weights_path):
    trunk = Blocks()
    system = choros.load("comotion", trunk=trunk, detector=Found(), weights_path=weights_path)
    assert system.network.encoder.trunk is trunk
    assert identity_of(system)["trunk"]["class"].endswith("Blocks")
    with pytest.raises(ChorosError, match=r"was not made with the trunk Blocks of \(3, 3\) channels"):
        choros.load("comotion", trunk=trunk)
    assert isinstance(system, Comotion)


def test_parts_of_ones_own_for_the_lifter():
    class Standing:
        def estimate(self, image, boxes_px):
            keypoints = np.ones((len(boxes_px), 17, 3), np.float32)
            keypoints[..., :2] = boxes_px[:, None, :2]
            return keypoints

    system = choros.load("lifter", detector=Found(), keypoints=Standing())
    assert (type(system.finder.detector), type(system.finder.keypoints)) == (Found, Standing)
    assert system.finder.options == choros.load("lifter").finder.options
