"""GLAMR's released networks: their answers for weights made from names, their files, and how their paths are read."""

from pathlib import Path

import numpy as np
import pytest
import torch

from choros.errors import ChorosError
from choros.glamr.egocentric import ego_to_global
from choros.glamr.network_inputs import joints_about_pelvis
from choros.glamr.networks import load_infiller, load_predictor
from choros.glamr.released.infiller import ReleasedInfiller
from choros.glamr.released.trajectory import ReleasedPredictor, ours
from choros.rotation import rotvec_to_rotmat
from tests.named_weights import apart, fill

GOLDEN = Path(__file__).parents[1] / "data"
LISTED = Path(__file__).parents[4] / "shared" / "facts" / "state_dicts" / "glamr_sd.txt"


@pytest.fixture(scope="module")
def infiller():
    return fill(ReleasedInfiller())


@pytest.fixture(scope="module")
def predictor():
    return fill(ReleasedPredictor())


def poses(rng, T=90):
    return rotvec_to_rotmat(torch.from_numpy(0.4 * rng.standard_normal((T, 23, 3))).float())


def test_the_infiller_answers_as_released(infiller):
    golden = np.load(GOLDEN / "glamr_infiller_golden.npz")
    seen = torch.from_numpy(0.4 * np.random.default_rng(5).standard_normal((50, 2, 69))).float()
    hidden = torch.zeros(2, 50, dtype=torch.bool)
    hidden[0, 15:33] = hidden[1, 10:40] = True
    seen[hidden.T] = 0
    with torch.no_grad():
        context = infiller.context_encoder(seen, hidden)
        prior = infiller.data_decoder.prior(context, hidden)
        said = infiller.data_decoder(prior.mean, context, hidden)
    assert apart(context[::5], golden["context"]) < 1e-4
    assert apart(prior.mean, golden["prior_mu"]) < 1e-4
    assert apart(2 * prior.log_std, golden["prior_logvar"]) < 1e-4
    assert apart(said, golden["body_pose"][10:]) < 1e-4


def test_the_predictor_answers_as_released(predictor):
    golden = np.load(GOLDEN / "glamr_trajectory_golden.npz")
    joints = torch.from_numpy(0.4 * np.random.default_rng(6).standard_normal((60, 2, 69))).float()
    with torch.no_grad():
        context = predictor.context_encoder(joints)
        prior = predictor.data_decoder.prior(context)
        said = predictor.data_decoder(prior.mean, context)
    assert apart(context[::6], golden["context"]) < 1e-4
    assert apart(prior.mean, golden["prior_mu"]) < 1e-4
    assert apart(2 * prior.log_std, golden["prior_logvar"]) < 1e-4
    assert apart(said, golden["local_trajectory"]) < 1e-4


def test_windows_slide_over_what_was_said(infiller):
    """The second window's past is the end of what the first said, as in the release."""
    rng = np.random.default_rng(0)
    rotations, visible = poses(rng), torch.ones(90, dtype=torch.bool)
    visible[20:75] = False
    said = infiller.infill(rotations, visible, keep_visible=False)[0]
    torch.testing.assert_close(said[:10], rotations[:10], atol=1e-5, rtol=0)
    assert (said[10:20] - rotations[10:20]).abs().max() > 0.1  # all is said anew
    kept = infiller.infill(rotations, visible)[0]
    torch.testing.assert_close(kept[visible], rotations[visible])
    torch.testing.assert_close(kept[~visible], said[~visible])
    cut = infiller.infill(rotations[:70], visible[:70], keep_visible=False)[0]
    assert (
        cut[:40] - said[:40]
    ).abs().max() < 1e-5  # what is beyond the first window's horizon changes nothing


def test_samples_differ_and_begin_with_the_likeliest(infiller):
    rotations, visible = poses(np.random.default_rng(1), 60), torch.ones(60, dtype=torch.bool)
    visible[15:50] = False
    one, three = infiller.infill(rotations, visible), infiller.infill(rotations, visible, 3, seed=4)
    torch.testing.assert_close(one[0], three[0])
    assert (three[1] - three[2])[20:45].abs().max() > 1e-3


def test_before_the_first_sight_and_short_motions(infiller):
    rotations, visible = poses(np.random.default_rng(2), 60), torch.zeros(60, dtype=torch.bool)
    visible[40:] = True
    said = infiller.infill(rotations, visible)[0]
    assert said.isfinite().all()
    torch.testing.assert_close(said[40:], rotations[40:])
    assert (said[39] - said[38]).abs().max() > 1e-4
    short = infiller.infill(rotations[:4], torch.tensor([True, False, False, True]))[0]
    assert short.isfinite().all()
    with pytest.raises(ChorosError, match="seen"):
        infiller.infill(rotations, torch.zeros(60, dtype=torch.bool))


def test_paths_are_read_in_our_axes():
    """A metre a second ahead while turning left by a quarter in two seconds: theirs by hand, ours in the world."""
    T = 61
    told = torch.zeros(T, 11)
    told[1:, 0] = 1 / 30
    told[:, 2] = 0.9
    told[:, 3], told[:, 7] = 1, 1  # the columns of no tilt
    turn = torch.full((T,), torch.pi / 2 / 60)
    turn[0] = torch.pi / 2  # the first frame's heading, from x: along y
    told[:, 9], told[:, 10] = turn.cos(), turn.sin()
    places, rotations = ego_to_global(ours(told), start=torch.zeros(3))
    torch.testing.assert_close(
        rotations[0] @ torch.tensor([0.0, 0, 1]), torch.tensor([0.0, 1, 0]), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        rotations[0] @ torch.tensor([0.0, 1, 0]), torch.tensor([0.0, 0, 1]), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        rotations[-1] @ torch.tensor([0.0, 0, 1]), torch.tensor([-1.0, 0, 0]), atol=1e-4, rtol=0
    )
    radius = 2 / (torch.pi / 2)
    torch.testing.assert_close(places[-1], torch.tensor([-radius, radius, 0.9]), atol=0.02, rtol=0)


def test_the_predictor_takes_what_the_pipeline_gives(predictor):
    joints = joints_about_pelvis(poses(np.random.default_rng(3), 40).double(), torch.rand(24, 3).double())
    (path,) = predictor.predict_all([joints])
    assert path.shape == (40, 11)
    assert path.dtype == torch.double
    with pytest.raises(ChorosError, match="24, 3"):
        predictor.predict_all([joints[:, :5]])


def test_files_load_and_others_are_refused(infiller, predictor, tmp_path):
    for network, kind in ((infiller, ReleasedInfiller), (predictor, ReleasedPredictor)):
        state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        extra = {"data_encoder.q_z_net.weight": torch.zeros(2, 2)}
        path = tmp_path / f"{kind.__name__}.ckpt"
        torch.save({"state_dict": state | extra, "epoch": 1}, path)
        again = load_infiller(path) if kind is ReleasedInfiller else load_predictor(path)
        assert type(again) is kind
        for name, tensor in again.state_dict().items():
            torch.testing.assert_close(tensor, state[name])
    with pytest.raises(ChorosError, match="ReleasedPredictor"):
        ReleasedPredictor.load(tmp_path / "ReleasedInfiller.ckpt")


@pytest.mark.skipif(not LISTED.is_file(), reason="the lists of released names are not here")
@pytest.mark.parametrize(
    ("name", "kind"), [("MotionInfillerVAE", ReleasedInfiller), ("TrajPredVAE", ReleasedPredictor)]
)
def test_every_released_name_is_there(name, kind):
    lines = [line.split(" ", 2) for line in LISTED.read_text().splitlines()]
    theirs = {tensor: shape.strip() for whose, tensor, shape in lines if whose == name}
    own = {tensor: str(tuple(value.shape)) for tensor, value in kind().state_dict().items()}
    assert own == {
        tensor: shape for tensor, shape in theirs.items() if not tensor.startswith("data_encoder.")
    }
