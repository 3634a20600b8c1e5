"""TRACE's released files: every tensor finds its place, nothing else is taken for them, answers are the release's."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from choros.checkpoints import what_is
from choros.errors import ChorosError
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork
from choros.trace.released import (
    HEAD,
    IMAGE_BACKBONE,
    MOTION_BACKBONE,
    is_released,
    load_head,
    load_image_backbone,
    load_motion_backbone,
    load_released,
    our_name,
)
from tests.named_weights import apart
from tests.trace.released_files import (
    head_shapes,
    head_tensors,
    write_head,
    write_image_backbone,
    write_motion_backbone,
)

GOLDEN = Path(__file__).parent / "data" / "trace_head_golden.npz"
LISTED = Path(__file__).parents[3] / "shared" / "facts" / "state_dicts" / "trace_sd.txt"


def singles(numbers):
    return torch.from_numpy(np.asarray(numbers, np.float32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All three files, as released."""
    folder = tmp_path_factory.mktemp("TRACE_models")
    write_head(folder)
    write_image_backbone(folder)
    write_motion_backbone(folder)
    return folder


@pytest.mark.skipif(not LISTED.is_file(), reason="the lists of released names are not here")
def test_the_names_are_those_that_were_listed():
    lines = (line.split(" ", 1) for line in LISTED.read_text().splitlines())
    assert head_shapes() == {name: ast.literal_eval(shape) for name, shape in lines}
    assert len(head_shapes()) == 404


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_paper_scale_has_each_released_tensor_and_no_other(blocks):
    network = TraceNetwork(TraceConfig(rotation_blocks=blocks))
    own = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    theirs = {our_name(name): shape for name, shape in head_shapes(blocks).items()}
    del theirs[None]
    assert own == theirs


def test_all_three_load_and_are_counted(folder):
    released = load_released(folder)
    head, image, motion = released.reports
    assert (len(head.matched), len(image.matched), len(motion.matched)) == (402, 1752, 179)
    assert all(report.complete and not report.unexpected for report in released.reports)
    own = released.network.state_dict()
    for name, tensor in head_tensors().items():
        if our_name(name) is not None:
            torch.testing.assert_close(own[our_name(name)], tensor)
    assert not released.network.training
    assert not any(p.requires_grad for p in released.network.parameters())
    torch.testing.assert_close(
        released.motion_backbone.cnet.layer2[0].norm3.weight,
        released.motion_backbone.cnet.layer2[0].downsample[1].weight,
    )


@pytest.mark.parametrize(
    ("blocks", "key", "prefix"),
    [(1, "model_state_dict", ""), (3, None, ""), (3, "model_state_dict", "module.")],
)
def test_heads_of_both_layouts_load_wherever_they_are(tmp_path, blocks, key, prefix):
    also = {f"{prefix}_result_parser.centermap_parser.coords": torch.zeros(3)}
    path = write_head(tmp_path, blocks, key, prefix, also=also)
    network, report = load_head(path)
    assert network.config.rotation_blocks == blocks
    assert report.complete
    assert report.unexpected == ()
    torch.testing.assert_close(
        network.heads.world.rotation[1].weight, head_tensors(blocks)[f"cam_rot_head.{blocks}.weight"]
    )


def test_a_wrong_prefix_is_an_error(tmp_path):
    """The released loader would go on with random weights."""
    with pytest.raises(
        ChorosError, match=r"trace_head\.pkl does not fit TraceNetwork: 0 tensors fit, 402 are missing"
    ):
        load_head(write_head(tmp_path, prefix="net.trace."))
    for name, load, prefix, tensor in (
        (IMAGE_BACKBONE, load_image_backbone, "module.image.", "conv1.weight"),
        (MOTION_BACKBONE, load_motion_backbone, "flow.", "fnet.conv1.weight"),
    ):
        torch.save({prefix + tensor: torch.zeros(64, 3, 7, 7)}, tmp_path / name)
        with pytest.raises(ChorosError, match=rf"{re.escape(name)} does not fit \w+: 0 tensors fit"):
            load(tmp_path / name)


def test_a_missing_weight_is_named(tmp_path):
    path = write_head(tmp_path, without=("deform_warper.weight",))
    with pytest.raises(ChorosError, match=r"1 are missing \(propagation\.warp\.weight\)"):
        load_head(path)


def test_a_missing_file_is_named(folder, tmp_path):
    write_motion_backbone(tmp_path)
    with pytest.raises(ChorosError, match=rf"has no {re.escape(HEAD)}.*put all three files there"):
        load_released(tmp_path)


def test_files_and_folders_are_known(folder, tmp_path):
    assert is_released(folder)
    assert not is_released(tmp_path)
    told = {}
    for name in (HEAD, IMAGE_BACKBONE, MOTION_BACKBONE):
        assert is_released(folder / name)
        told[name] = what_is(folder / name)
        assert "--weights" in told[name].mend
        assert told[name].terms
    assert [found.system for found in told.values()] == [
        "trace",
        "bev",
        "trace",
    ]  # BEV's heads are in the second
    assert "BSD" in told[MOTION_BACKBONE].terms


@torch.inference_mode()
def test_the_head_answers_as_released(folder):
    golden = np.load(GOLDEN)
    network, _ = load_head(folder / HEAD)
    features = singles(np.random.default_rng(7).standard_normal((2, 32, 128, 128)))
    flow = singles(np.random.default_rng(8).standard_normal((1, 2, 128, 128)))
    one = features[1:]
    heads = network.heads
    centre, centre_3d, camera_3d = heads.detection(one)
    moved = torch.cat([one, flow], 1)  # so the heads were asked; the release itself puts flow first
    motion, motion_3d = heads.motion(moved)
    camera_motion, rotation = heads.world(moved)
    state = network.propagation.begin(one)
    said = {
        "center_3d": centre_3d[0, ::8, ::16, ::16],
        "center_2d": centre[0, ::8, ::8],
        "camera_3d": camera_3d[0, :, ::8, ::16, ::16],
        "motion_3d": motion_3d[0, :, ::8, ::16, ::16],
        "motion_2d": motion[0, :, ::8, ::8],
        "param_features": heads.person(moved)[0, ::8, ::16, ::16],
        "camera_motion": camera_motion[0, :, ::8, ::8],
        "camera_rotation": rotation[0, :, ::8, ::8],
        "gru": network.propagation.remember(one, state.memory)[-1][0, ::4, ::16, ::16],
        "offsets": network.propagation.warp.where(one - features[:1])[0, ::8, ::16, ::16],
    }
    for name, answer in said.items():
        assert apart(answer, golden[name]) < 1e-4, name


@torch.inference_mode()
def test_the_regressors_answer_as_released(folder):
    golden = np.load(GOLDEN)
    regressors = load_head(folder / HEAD)[0].regressors
    trajectory = singles(np.random.default_rng(9).standard_normal((2, 8, 131)))
    feature = trajectory[..., :128]
    said = {
        "pose": regressors.pose(feature)[0],
        "rotations": torch.cat(regressors.rotations(feature), -1),
        "shape": regressors.shape(feature)[0],
        "translation": regressors.translation(trajectory)[0],
    }
    for name, answer in said.items():
        assert apart(answer, golden[name]) < 1e-4, name
