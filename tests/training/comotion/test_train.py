"""The training loop of CoMotion: exact resume, frozen parts, gradients through time, and that it learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from choros.comotion import trunk
from choros.comotion.config import TRUNK
from choros.comotion.network import ComotionNetwork
from choros.errors import ChorosError
from choros.scenes import StreamConfig, stream
from choros.training.comotion import task
from choros.training.comotion import train as comotion
from choros.training.comotion.batch import batch_of
from choros.training.comotion.feed import Options
from choros.training.comotion.losses import weighted
from choros.training.comotion.recipe import RECIPES, LossWeights, Recipe, Source, Stage
from choros.training.comotion.unroll import clip_losses, encode_clip, unroll, unroll_batch
from choros.training.distributed import average_gradients
from tests.training.comotion.drawn import TINY, Dots, drawn_clip, drawn_footage
from tests.training.stopping import killed_at, stop_after

ABOUT = {"licence": "none", "data": ["drawn"]}


def stage(name="one", **changes):
    kept = {"steps": 4, "lr": 1e-3, "clips": 2, "warmup": 2, "kept_clips": 4, "reuse": 2.0}
    return Stage(name, (Source("drawn", 2),), **(kept | changes))


def recipe(*stages, **changes):
    kept = {"held_out_clips": 0, "log_every": 1, "checkpoint_every": 2, "people": 2}
    return Recipe("small", stages, held_out=Source("drawn", 3), **(kept | changes))


@pytest.fixture(autouse=True)
def dots(monkeypatch):
    monkeypatch.setitem(trunk.TRUNKS, "dots", Dots)


@pytest.fixture
def options():
    return Options(network=TINY, footage={"drawn": drawn_footage}, workers=0)


def losses_of(folder):
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(record["step"], record["loss"], record["points_2d"]) for record in records]


@pytest.mark.parametrize("stops", [1, 3, 4, 5])
def test_stopped_and_resumed_goes_on_with_the_same_losses(tmp_path, options, stops):
    """In the middle of a stage, at its end, and in a second one of two sources and another trunk."""
    two_kinds = (Source("drawn", 3, 0.6), Source("drawn", 1, 0.4))
    second = replace(stage("two", frozen=(), steps=3, accumulate=2, clips=1), sources=two_kinds)
    whole = recipe(stage(), second)
    assert comotion.train(whole, tmp_path / "whole", options, ABOUT)
    assert not comotion.train(whole, tmp_path / "parts", options, ABOUT, stop=stop_after(stops))
    assert comotion.train(whole, tmp_path / "parts", options, ABOUT, resume=True)
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "parts")
    one, two = (load_file(tmp_path / part / "weights.safetensors") for part in ("whole", "parts"))
    for name in one:
        assert torch.equal(one[name], two[name]), name


def test_killed_and_resumed_repeats_what_no_checkpoint_holds(tmp_path, options):
    whole = recipe(stage(steps=6))
    comotion.train(whole, tmp_path / "whole", options, ABOUT)

    with pytest.raises(KeyboardInterrupt):
        comotion.train(whole, tmp_path / "killed", options, ABOUT, report=killed_at(5))
    assert len(losses_of(tmp_path / "killed")) == 4
    comotion.train(whole, tmp_path / "killed", options, ABOUT, resume=True)
    assert losses_of(tmp_path / "whole") == losses_of(tmp_path / "killed")


def test_frozen_parts_stay_and_the_others_move(options, tmp_path):
    first = ComotionNetwork(TINY, seed=1).state_dict()
    comotion.train(recipe(stage(steps=2)), tmp_path / "a", options, ABOUT)
    trained = load_file(tmp_path / "a" / "checkpoint.safetensors")
    moved = {n for n in first if not torch.equal(first[n], trained[f"model.{n}"])}
    assert not any(name.startswith(TRUNK) for name in moved)
    assert any(name.startswith("encoder.fusion") for name in moved)
    assert any(name.startswith("updater.") for name in moved)

    comotion.train(recipe(stage(steps=2, frozen=())), tmp_path / "b", options, ABOUT)
    trained = load_file(tmp_path / "b" / "checkpoint.safetensors")
    assert any(not torch.equal(first[n], trained[f"model.{n}"]) for n in first if n.startswith(TRUNK))


def test_the_average_follows_slowly(options, tmp_path):
    comotion.train(recipe(stage(), ema=0.9), tmp_path / "a", options, ABOUT)
    stored = load_file(tmp_path / "a" / "checkpoint.safetensors")
    first = ComotionNetwork(TINY, seed=1).state_dict()
    name = "updater.decode_person.3.weight"
    far = (stored[f"model.{name}"] - first[name]).norm()
    near = (stored[f"average.{name}"] - first[name]).norm()
    assert 0 < near < far


def test_weights_say_what_they_are(options, tmp_path):
    comotion.train(recipe(stage()), tmp_path, options, ABOUT)
    network = ComotionNetwork.load(tmp_path / "weights.safetensors")
    assert network.config == TINY
    from choros import weights

    metadata = weights.load(tmp_path / "weights.safetensors", "comotion")[1]
    assert metadata["licence"] == "none"
    assert metadata["steps"] == 4


def test_a_run_can_start_from_weights_at_their_step(options, tmp_path):
    whole = recipe(stage(steps=6))
    comotion.train(whole, tmp_path / "a", options, ABOUT, stop=stop_after(4))
    told = []
    comotion.train(
        whole,
        tmp_path / "b",
        options,
        ABOUT,
        start=tmp_path / "a" / "weights.safetensors",
        report=told.append,
    )
    assert [record["step"] for record in told] == [5, 6]
    other = replace(options, network=replace(TINY, tokens=3))
    with pytest.raises(ChorosError, match="another size"):
        comotion.train(whole, tmp_path / "c", other, ABOUT, start=tmp_path / "a" / "weights.safetensors")


def test_runs_are_not_mixed_up(options, tmp_path):
    comotion.train(recipe(stage()), tmp_path, options, ABOUT)
    with pytest.raises(ChorosError, match="resume"):
        comotion.train(recipe(stage()), tmp_path, options, ABOUT)
    with pytest.raises(ChorosError, match="other options"):
        comotion.train(recipe(stage(lr=2e-3)), tmp_path, options, ABOUT, resume=True)
    with pytest.raises(ChorosError, match="say where it is"):
        comotion.train(recipe(stage()), tmp_path / "new", replace(options, footage={}), ABOUT)


def test_the_gradient_through_time_flows_only_through_hidden():
    """Paper 3: what the first frame is told of later ones comes by the hidden state."""
    network = ComotionNetwork(TINY)
    clip = drawn_clip(1)
    batch = batch_of(
        [encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)],
        [np.arange(2)],
        np.random.default_rng(0),
        None,
    )
    image = network.encoder.tokens([maps.float() for maps in batch.maps])
    answers = unroll(network, image, batch.boxes_px, batch.present, batch.K)
    assert answers.rotations.shape == (4, 1, 2, 24, 3, 3)
    (answers.pelvis_cam[2].sum() + answers.rotations[2].square().sum()).backward()
    begin = network.initialisation
    assert all(p.grad is None or not p.grad.any() for p in begin.decode_person.parameters())
    assert begin.decode_hidden[3].weight.grad.abs().max() > 0

    network = ComotionNetwork(replace(TINY, hidden_state=False))
    image = network.encoder.tokens([maps.float() for maps in batch.maps])
    answers = unroll(network, image, batch.boxes_px, batch.present, batch.K)
    answers.pelvis_cam[2].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in network.initialisation.parameters())


def test_padding_changes_no_loss():
    """A clip with fewer people than its neighbour has the losses that it has alone."""
    network = ComotionNetwork(TINY)
    clips = [drawn_clip(1, people=1), replace(drawn_clip(2, people=3), everyone=False)]
    nothing_known = replace(
        clips[1], pointed=0 * clips[1].pointed, posed=clips[1].posed & False, placed=clips[1].placed & False,
        shaped=clips[1].shaped & False,
    )  # fmt: skip
    seen = [
        encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)
        for clip in (clips[0], nothing_known)
    ]
    rng = np.random.default_rng(0)

    def losses(batch):
        return clip_losses(network, unroll_batch(network, batch), batch)

    alone = losses(batch_of(seen[:1], [np.arange(1)], rng, None))
    both = losses(batch_of(seen, [np.arange(1), np.arange(3)], rng, None))
    for name in alone.keys() - {"betas_norm"}:
        torch.testing.assert_close(alone[name], both[name], rtol=1e-4, atol=1e-6)


def test_a_step_that_would_spoil_the_run_is_left_out(options, tmp_path, monkeypatch):
    real = task.clip_losses
    calls = []

    def broken(*given):
        calls.append(1)
        parts = real(*given)
        return {n: p * float("nan") for n, p in parts.items()} if len(calls) == 2 else parts

    monkeypatch.setattr(task, "clip_losses", broken)
    comotion.train(recipe(stage()), tmp_path, options, ABOUT)
    stored = load_file(tmp_path / "checkpoint.safetensors")
    assert all(tensor.isfinite().all() for tensor in stored.values())


def test_recipes_are_the_papers():
    paper = RECIPES["paper"]
    assert [s.steps for s in paper.stages] == [300_000, 300_000, 150_000]
    assert {source.frames for source in paper.stages[0].sources} == {1}
    assert {(s.data, s.frames) for s in paper.stages[2].sources} == {
        ("bedlam", 16),
        ("posetrack", 8),
        ("jrdb", 16),
    }
    assert not paper.stages[0].freezes("encoder.trunk.stem.0.weight")
    assert all(s.freezes("encoder.key.weight") and not s.freezes("updater.x") for s in paper.stages[1:])
    assert paper.stage_at(0) == (0, 0)
    assert paper.stage_at(300_000) == (1, 300_000)
    assert paper.stage_at(749_999) == (2, 600_000)
    assert LossWeights().betas_norm == 0.005


def test_clips_of_every_source_fit_into_a_scene():
    for source in (source for stage in RECIPES["small"].stages for source in stage.sources):
        scene = replace(Options().scene, fps=source.fps)
        config = StreamConfig(scene, frames=source.frames, clips_per_scene=source.clips_per_scene)
        stream(1, config).close()  # raises ChorosError where they do not


def test_the_learning_rate_rises_and_falls():
    one = stage(steps=100, warmup=10, lr=1.0)
    rates = [task.learning_rate(one, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], rel=0.02)
    assert np.all(np.diff(rates[10:]) <= 0)
    assert rates[-1] == pytest.approx(0.05)


@pytest.mark.slow
def test_it_learns_a_clip_by_heart():
    network = ComotionNetwork(TINY)
    clip = drawn_clip(1, frames=3)
    seen = encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)
    batch = batch_of([seen], [np.arange(2)], np.random.default_rng(0), None)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    told = []
    for _ in range(120):
        loss = weighted(clip_losses(network, unroll_batch(network, batch), batch), LossWeights())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        told.append(loss.item())
    assert told[-1] < 0.3 * told[0]


@pytest.mark.slow
def test_pictures_and_numbers_of_held_out_clips(options, tmp_path):
    told = []
    watched = recipe(stage(), held_out_clips=2, held_out_every=4)
    comotion.train(watched, tmp_path, options, ABOUT, report=told.append)
    assert told[-1]["held_out/mpjpe_seen_mm"] > 0
    assert 0 <= told[-1]["held_out/pck_seen"] <= 1
    assert (tmp_path / "samples" / "0000004.png").stat().st_size > 1000


def _one_of_two(rank, folder):
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    trunk.TRUNKS["dots"] = Dots
    options = Options(network=TINY, footage={"drawn": drawn_footage}, workers=0)
    stop = stop_after(3) if rank == 1 else lambda: False  # one asks, both stop
    comotion.train(recipe(stage()), folder / "run", options, ABOUT, stop=stop)
    used, unused = torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2, 2))
    used.grad = torch.full((3,), 1.0 + rank)
    if rank == 0:
        unused.grad = torch.ones(2, 2)
    average_gradients([used, unused])
    assert used.grad.tolist() == [1.5] * 3
    assert unused.grad.tolist() == [[0.5] * 2] * 2
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path):
    torch.multiprocessing.spawn(_one_of_two, (tmp_path,), nprocs=2)
    assert [step for step, *_ in losses_of(tmp_path / "run")] == [1, 2, 3]
