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
from choros.training.comotion import task
from choros.training.comotion import train as comotion
from choros.training.comotion.feed import Options
from choros.training.comotion.recipe import ClipSource
from choros.training.distributed import average_gradients
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
    return [(record["step"], record["loss"], record["points_2d"]) for record in records]


@pytest.mark.parametrize("stops", [1, 3, 4, 5])
def test_stopped_and_resumed_goes_on_with_the_same_losses(tmp_path, options, stops):
    """In the middle of a stage, at its end, and in a second one of two sources and another trunk."""
    two_kinds = (ClipSource("drawn", 3, 0.6), ClipSource("drawn", 1, 0.4))
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
