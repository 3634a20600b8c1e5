"""Two processes train as one that accumulates twice as much: the same losses, the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

import choros
from choros.datasets.mocap.mocap_clip import pack
from choros.training.loop import LoopConfig, train
from tests.training.captured import clip
from tests.training.test_loop import Line

CONFIG = LoopConfig(steps=5, ema=0.9, clip_norm=1e9, log_every=1, checkpoint_every=2)


def line(accumulate):
    """With dropout, whose masks are each micro-batch's own."""
    return Parts(dropout=0.5, accumulate=accumulate)


class Parts(Line):
    """Points of each micro-batch by its number."""

    def batch(self, step, part):
        generator = torch.Generator().manual_seed(1000 * step + part)
        x = torch.randn(8, 2, generator=generator)
        return x, 2 * x[:, :1] - x[:, 1:]


def run(folder, name, accumulate, **how):
    return train(line(accumulate), CONFIG, folder / f"{name}.checkpoint", folder / f"{name}.jsonl", **how)


def losses(folder, name):
    return [json.loads(text)["loss"] for text in (folder / f"{name}.jsonl").read_text().splitlines()]


def one_of_two(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    run(folder, "two", 2, until=3)
    run(folder, "two", 2)  # goes on from the checkpoint
    dist.destroy_process_group()


def test_two_processes_are_one_that_accumulates_twice_as_much(tmp_path):
    torch.multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    run(tmp_path, "one", 4)
    assert losses(tmp_path, "two") == pytest.approx(losses(tmp_path, "one"), rel=1e-5)
    assert len(losses(tmp_path, "one")) == 5
    one, two = (load_file(tmp_path / f"{name}.checkpoint") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-5, atol=1e-6)
    run(tmp_path, "half", 2)  # a test that could not fail would pass for this, too
    assert losses(tmp_path, "half") != pytest.approx(losses(tmp_path, "one"), rel=1e-3)


@pytest.mark.slow
def test_the_recipe_of_torchrun(tmp_path):
    """`choros train infiller` by two processes: each draws clips of its own, the first writes."""
    captured = tmp_path / "captured.npz"
    pack([clip("a"), clip("b", seconds=5.0)], captured)
    environment = os.environ | {"PYTHONPATH": str(Path(choros.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [
        "-m",
        "choros.cli.main",
        "train",
        "infiller",
        "--mocap",
        str(captured),
        "--any-licence",
        "--steps",
        "2",
    ]
    launched = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, how in (("one", [sys.executable]), ("two", launched)):
        done = subprocess.run(
            [*how, *command, "-o", str(tmp_path / f"{name}.safetensors")],
            env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("trained on") == 1
    one, two = (
        [json.loads(text) for text in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
        for name in ("one.safetensors", "two.safetensors")
    )
    assert [line["step"] for line in one] == [line["step"] for line in two]
    losses_of_one, losses_of_two = ([line["loss"] for line in log if "loss" in line] for log in (one, two))
    assert losses_of_one
    assert losses_of_one != losses_of_two
