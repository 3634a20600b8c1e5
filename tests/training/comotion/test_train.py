"""Training CoMotion into a folder: exact resume, frozen parts, runs that are not mixed up, two processes."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from choros.backbones import trunk
from choros.comotion.config import TRUNK
from choros.comotion.network import ComotionNetwork
from choros.errors import ChorosError
from choros.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from choros.training.comotion import task
from choros.training.comotion import train as comotion
from choros.training.comotion.feed import Options
from choros.training.comotion.recipe import RECIPES, ClipSource
from choros.training.distributed import average_gradients
from choros.training.loop import Watch
from tests.training.comotion.drawn import (
    TINY,
    Dots,
    drawn_footage,
    recipe,
    stage,
)
from tests.training.stopping import killed_at, stop_after

ABOUT = {"licence": "none", "data": ["drawn"]}


def losses_of(folder):
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(record["step"], record["loss"], record["points_2d"]) for record in records if "loss" in record]


@pytest.mark.parametrize("stops", [1, 3, 4, 5])
def test_stopped_and_resumed_goes_on_with_the_same_losses(tmp_path, options, stops):
    """In the middle of a stage, at its end, and in a second one of two sources and another trunk."""
    two_kinds = (ClipSource("drawn", 3, 0.6), ClipSource("drawn", 1, 0.4))
    second = replace(stage("two", frozen=(), steps=3, accumulate=2, clips=1), sources=two_kinds)
    whole = recipe(stage(), second)
    assert comotion.train(whole, tmp_path / "whole", options, ABOUT)
    assert not comotion.train(whole, tmp_path / "parts", options, ABOUT, stop=stop_after(stops))
    assert comotion.train(whole, tmp_path / "parts", options, ABOUT)
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
    comotion.train(whole, tmp_path / "killed", options, ABOUT)
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
    with pytest.raises(ChorosError, match="other options"):
        comotion.train(recipe(stage(lr=2e-3)), tmp_path, options, ABOUT)
    with pytest.raises(ChorosError, match="say where it is"):
        comotion.train(recipe(stage()), tmp_path / "new", replace(options, footage={}), ABOUT)


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


def test_pictures_and_numbers_of_held_out_clips(options, tmp_path):
    told = []
    watched = recipe(stage(), held_out_clips=2, held_out_every=4)
    comotion.train(watched, tmp_path, options, ABOUT, report=told.append)
    assert told[-1]["held_out/mpjpe_seen_mm"] > 0
    assert 0 <= told[-1]["held_out/pck_seen"] <= 1
    assert (tmp_path / "samples" / "0000004.png").stat().st_size > 1000


def test_the_first_picture_waits_for_one_clip_and_is_no_measurement(options, tmp_path):
    made, told = [], []

    def counted(seed, frames, start):
        for clip in drawn_footage(seed, frames, start):
            made.append(frames)
            yield clip

    def first_told(record):
        told.append((record["step"], len(made), "held_out/mpjpe_seen_mm" in record, "sample" in record))

    held_out = ClipSource("held", 5)
    watched = recipe(stage(), held_out_clips=3, held_out_every=4, held_out=held_out)
    both = replace(options, footage={"drawn": drawn_footage, "held": counted})
    comotion.train(watched, tmp_path, both, ABOUT, report=first_told)
    assert told[0] == (0, 1, False, True)
    assert told[-1] == (4, 3, True, True)


def test_weights_are_a_file_with_the_rest_beside_it_where_one_is_named(options, tmp_path):
    comotion.train(recipe(stage()), tmp_path / "mine.safetensors", options, ABOUT)
    comotion.train(recipe(stage()), tmp_path / "folder", options, ABOUT)
    beside = {path.name for path in tmp_path.iterdir()} - {"folder"}
    assert beside == {f"mine.safetensors{more}" for more in ("", ".checkpoint", ".json", ".jsonl")}
    one, two = (load_file(tmp_path / name) for name in ("mine.safetensors", "folder/weights.safetensors"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_figures_by_the_clock_leave_the_weights_as_they_are(options, tmp_path):
    def measure(path):
        network = ComotionNetwork.load(path)
        torch.randn(7)
        return {"real/pck": float(network.updater.decode_person[3].weight.detach().sum())}

    whole = recipe(stage(steps=5))
    comotion.train(whole, tmp_path / "plain", options, ABOUT)
    comotion.train(whole, tmp_path / "watched", options, ABOUT, watch=Watch(measure, 0.0))
    assert losses_of(tmp_path / "plain") == losses_of(tmp_path / "watched")
    one, two = (load_file(tmp_path / run / "checkpoint.safetensors") for run in ("plain", "watched"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_small_recipes_checkpoint_holds_sixteen_bytes_a_learned_weight(tmp_path):
    """Weights, their average and two moments, in four bytes each; the trunk that ships is not in it."""
    learner = task.ComotionTask(RECIPES["small"], tmp_path / "run", Options(), {})
    learner.prepare(0)
    learned = 0
    for parameter in learner.network.parameters():
        if parameter.requires_grad:
            learned += parameter.numel()
            parameter.grad = torch.zeros_like(parameter)
    learner.optimiser.step()
    state = TrainingState.begin(learner.network, learner.optimiser, 3)
    save_checkpoint(tmp_path / "checkpoint", learner.system, state, learner.unchanged())
    assert learned * 16 < (tmp_path / "checkpoint").stat().st_size < learned * 16 + 2e5

    another = task.ComotionTask(RECIPES["small"], tmp_path / "run", Options(seed=2), {})
    again = TrainingState.begin(another.network, another.optimiser)
    load_checkpoint(tmp_path / "checkpoint", learner.system, again)
    for name, tensor in learner.network.state_dict().items():
        assert torch.equal(tensor, another.network.state_dict()[name]), name
    with torch.no_grad():
        next(learner.network.encoder.trunk.parameters()).add_(1)
    assert learner.unchanged() == ()


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


def test_two_processes_train_as_one(tmp_path):
    torch.multiprocessing.spawn(_one_of_two, (tmp_path,), nprocs=2)
    assert [step for step, *_ in losses_of(tmp_path / "run")] == [1, 2, 3]
