"""CoMotion's released networks: their answers for weights made from names, and their files."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from choros.backbones.convnext import IMAGENET_MEAN, IMAGENET_STD
from choros.body import BodyModel, BodyParams
from choros.cli.main import main
from choros.comotion.released.detection import PARTS, Detector, Found, centres
from choros.comotion.released.files import DETECTION, REFERENCE, REFINEMENT
from choros.comotion.released.layers import LlamaLayer, Waves
from choros.comotion.released.points import points_cam
from choros.comotion.released.update import Updater, project
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.video import VideoWriter
from tests.named_weights import apart, fill

GOLDEN = Path(__file__).parent / "data" / "comotion_released_golden.npz"
LISTED = Path(__file__).parents[3] / "shared" / "facts" / "state_dicts" / "como_sd.txt"
K = torch.tensor([[[600.0, 0, 250], [0, 620, 262]]])
CONSTANTS = ("freq_bands", "inv_freq")


def singles(numbers):
    return torch.from_numpy(np.asarray(numbers, np.float32))


@pytest.fixture(scope="module")
def updater():
    return fill(Updater(), CONSTANTS)


def people(rng):
    betas, pose = rng.standard_normal((1, 3, 10)), 0.3 * rng.standard_normal((1, 3, 72))
    x, y = rng.uniform(-1, 1, (1, 3)), rng.uniform(-1, 1, (1, 3))
    transl = np.stack([x, y, rng.uniform(3, 6, (1, 3))], -1)
    points = transl[:, :, None] + 0.4 * rng.standard_normal((1, 3, 27, 3))
    return [singles(part) for part in (betas, pose, transl, points, rng.standard_normal((1, 3, 512)))]


@torch.inference_mode()
def test_the_update_answers_as_released(updater):
    golden = np.load(GOLDEN)
    features = singles(np.random.default_rng(3).standard_normal((1, 256, 64, 64)))
    said = updater(features, K, *people(np.random.default_rng(2)))
    for name, part in zip(("delta_root_orient", "delta_body_pose", "trans", "hidden"), said, strict=True):
        assert apart(part, golden[f"update_{name}"]) < 1e-4, name


@torch.inference_mode()
def test_people_in_another_order_are_the_same_people(updater):
    features = singles(np.random.default_rng(3).standard_normal((1, 256, 64, 64)))
    everyone = people(np.random.default_rng(2))
    said = updater(features, K, *everyone)
    turned = updater(features, K, *(part[:, [2, 0, 1]] for part in everyone))
    for part, other in zip(said, turned, strict=True):
        torch.testing.assert_close(other, part[:, [2, 0, 1]], atol=2e-4, rtol=1e-4)


@pytest.mark.slow
@torch.inference_mode()
def test_the_detector_answers_as_released():
    golden = np.load(GOLDEN)
    network = fill(Detector(), CONSTANTS)
    normalised = singles(np.random.default_rng(1).uniform(-2, 2, (1, 3, 512, 512)))
    std, mean = (torch.tensor(part)[:, None, None] for part in (IMAGENET_STD, IMAGENET_MEAN))
    images = normalised * std + mean
    found, features = network(images, K)
    assert apart(network.image_backbone.fused(images)[0, ::16, ::8, ::8], golden["backbone_features"]) < 1e-4
    assert apart(features[0, ::16, ::8, ::8], golden["image_features"]) < 1e-4
    rows = torch.from_numpy(golden["detect_rows"])
    names = ("betas", "delta_root_orient", "delta_body_pose", "trans", "conf")
    for name, part in zip(names, found, strict=True):
        assert apart(part[0, rows], golden[f"detect_{name}"]) < 1e-4, name


def test_numbers_and_cells_by_hand():
    waves = Waves()(torch.tensor([0.25, -1.0]))
    assert waves.shape == (34,)
    torch.testing.assert_close(
        waves[:4], torch.tensor([0.25, -1.0, np.sin(0.25), np.sin(0.5)], dtype=torch.float32)
    )
    assert waves[18] == pytest.approx(np.sin(-1.0))
    assert centres(4, 4, torch.zeros(1))[0, 1].tolist() == [192, 64]
    assert project(torch.tensor([1.0, 2, 4]), K[0]).tolist() == [400, 572]


def test_a_layer_with_nothing_to_say_changes_nothing():
    layer = LlamaLayer()
    for name in ("o_proj",):
        torch.nn.init.zeros_(layer.self_attn[name].weight)
    torch.nn.init.zeros_(layer.mlp["down_proj"].weight)
    tokens = torch.randn(2, 5, 512, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layer(tokens), tokens)


@pytest.mark.skipif(not LISTED.is_file(), reason="the lists of released names are not here")
@pytest.mark.parametrize(("name", "kind"), [("detect", Detector), ("refine", Updater)])
def test_every_released_name_is_there_and_no_other(name, kind):
    lines = [line.split(" ", 2) for line in LISTED.read_text().splitlines()]
    theirs = {tensor: shape.strip() for whose, tensor, shape in lines if whose == name}
    with torch.device("meta"):
        own = {tensor: str(tuple(value.shape)) for tensor, value in kind().state_dict().items()}
    assert own == theirs


def joints_m(body, found):
    """(M, 27, 3) about the pelvis."""
    turns = torch.cat([found.root_turn[0][:, None], found.pose_turns[0].unflatten(-1, (23, 3))], 1)
    pose = rotmat_to_rotvec(rotvec_to_rotmat(turns))
    nowhere = torch.zeros_like(found.transl[0])
    points = points_cam(body, BodyParams(pose[:, 0], pose[:, 1:].flatten(1), found.betas[0], nowhere))
    return points - points[:, :1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lower", "moved_mm", "changed_mm"), [(torch.float16, 2, 0.5), (torch.bfloat16, 12, 0.5)]
)
@torch.inference_mode()
def test_lower_precision_answers_alike(lower, moved_mm, changed_mm):
    """How far joints are from those in single precision, and what that does to the MPJPE to somebody at rest.

    Weights made from names are noise; rounding the matrices to bfloat16, and nothing else, moves joints as far.
    """
    network, body = fill(Detector(), CONSTANTS), BodyModel.load(detail="light")
    images = torch.from_numpy(np.random.default_rng(1).uniform(0, 1, (1, 3, 512, 512))).float()
    exact, _ = network(images, K)
    network.compute_in(lower)
    found, rounded = network(images, K)
    assert all(part.dtype == torch.float32 for part in (*found, rounded))
    one, other = joints_m(body, exact), joints_m(body, found)
    rest = joints_m(body, Found(*(torch.zeros_like(part) for part in exact)))
    moved = 1e3 * (other - one).norm(dim=-1).mean()
    changed = 1e3 * ((other - rest).norm(dim=-1).mean() - (one - rest).norm(dim=-1).mean())
    assert 0 < moved < moved_mm
    assert abs(changed) < changed_mm


@pytest.mark.slow
def test_from_an_empty_folder_to_an_overlay(tmp_path, capsys):
    """The lines of docs/checkpoints.md with files of the released names and shapes, in whose pictures nobody is."""
    theirs, clip, made = tmp_path / "weights", tmp_path / "clip.mp4", tmp_path / "comotion.safetensors"
    (theirs / "smpl").mkdir(parents=True)
    detector = fill(Detector(), CONSTANTS)
    for decoder in detector.detection_head.decoders:
        decoder[-1].bias[sum(PARTS) - 1 :: sum(PARTS)] -= 20
    torch.save(detector.state_dict(), theirs / DETECTION)
    torch.save(fill(Updater(), CONSTANTS).state_dict(), theirs / REFINEMENT)
    torch.save({"mean_pose": torch.zeros(72)}, theirs / "smpl" / REFERENCE)
    with VideoWriter(clip, 96, 64, Fraction(5)) as writer:
        writer.write(np.full((64, 96, 3), 90, np.uint8))
        writer.write(np.full((64, 96, 3), 99, np.uint8))
    main(["doctor", str(theirs / DETECTION)])
    main(["convert", str(theirs), "-o", str(made)])
    assert "268,984,373 numbers" in capsys.readouterr().out
    for weights, out, more in ((theirs, "a", []), (made, "b", ["--overlay"])):
        main(["track", str(clip), "--system", "comotion", "--weights", str(weights), "--body", "open",
              "-o", str(tmp_path / out), *more])  # fmt: skip
    assert (tmp_path / "a" / "motion.npz").read_bytes() == (tmp_path / "b" / "motion.npz").read_bytes()
    assert (tmp_path / "b" / "overlay.mp4").is_file()
    assert "nobody was found" in capsys.readouterr().out
