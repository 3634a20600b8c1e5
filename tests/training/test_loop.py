"""The loop that trains all networks, on a line through points: steps in closed form, exact resume, no global state."""

import ast
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import choros
from choros.errors import ChorosError
from choros.training import log as log_module
from choros.training import loop
from choros.training.checkpoint import TrainingState
from choros.training.log import Log
from choros.training.loop import LoopConfig, StepPlan, Task, Watch, move_average, take_step, train
from tests.training.stopping import killed_at, stop_after

SHORT = LoopConfig(steps=7, ema=0.9, clip_norm=1e9, log_every=1, checkpoint_every=3)


class Line(Task):
    """A linear layer behind dropout that learns y = 2 x_0 - x_1, from points that are drawn for each micro-batch."""

    system = "line"

    def __init__(self, seed=1, lr=0.05, accumulate=1, dropout=0.0, size=8):
        self.seed, self.plan, self.size = seed, StepPlan(lr, accumulate), size
        self.network = nn.Sequential(nn.Dropout(dropout), nn.Linear(2, 1))
        nn.init.constant_(self.network[1].weight, 0.5)
        nn.init.zeros_(self.network[1].bias)
        self.optimiser = torch.optim.SGD(self.network.parameters(), momentum=0.9)
        self.told, self.closed = [], 0

    def prepare(self, step):
        self.network.train()
        return self.plan

    def batch(self, step, part):
        x = torch.from_numpy(np.random.default_rng([self.seed, step]).normal(size=(self.size, 2))).float()
        x = x.chunk(self.plan.accumulate)[part]
        return x, 2 * x[:, :1] - x[:, 1:]

    def predict(self, batch):
        return self.network(batch[0])

    def losses(self, predicted, batch, step):
        self.told.append(predicted.dtype)
        each = (predicted - batch[1]).square().mean()
        return each, {"squares": each.detach()}

    def sample(self, average, step):
        x, y = self.batch(10**6, 0)
        return {"held_out/squares": (average(x) - y).square().mean().item()}

    def close(self):
        self.closed += 1


def run(folder, name, task=None, config=SHORT, **how):
    """Trains a line; returns the state and the log."""
    state = train(
        task or Line(dropout=0.5), config, folder / f"{name}.checkpoint", folder / f"{name}.jsonl", **how
    )
    return state, [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def test_a_line_is_learned(tmp_path):
    state, log = run(tmp_path, "a", Line(), replace(SHORT, steps=200, log_every=20))
    assert state.network[1].weight.tolist()[0] == pytest.approx([2, -1], abs=1e-2)
    assert log[-1]["loss"] < 1e-3 < log[0]["loss"]
    assert log[0]["squares"] == log[0]["loss"]
    assert [record["step"] for record in log] == list(range(20, 201, 20))


@pytest.mark.parametrize("stops", range(1, 7))
def test_stopped_and_resumed_ends_with_the_same_bits(tmp_path, stops):
    """At, before and behind a checkpoint's step; with dropout, whose masks are torch's own random numbers."""
    whole, log = run(tmp_path, "whole")
    stopped, _ = run(tmp_path, "parts", stop=stop_after(stops))
    assert stopped.step == stops
    torch.manual_seed(99)  # whatever else was drawn meanwhile
    resumed, again = run(tmp_path, "parts")
    kept, same = (load_file(tmp_path / f"{name}.checkpoint") for name in ("whole", "parts"))
    assert kept.keys() == same.keys()
    assert all(torch.equal(kept[name], same[name]) for name in kept)
    assert resumed.step == whole.step == 7
    assert [(r["step"], r["loss"]) for r in log] == [(r["step"], r["loss"]) for r in again]


def test_killed_and_resumed_repeats_what_no_checkpoint_holds(tmp_path):
    _, log = run(tmp_path, "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "killed", report=killed_at(5))
    told = []
    _, again = run(tmp_path, "killed", report=told.append)
    assert [record["step"] for record in told] == [4, 5, 6, 7]
    assert [(r["step"], r["loss"]) for r in log] == [(r["step"], r["loss"]) for r in again]


def test_until_stops_without_changing_the_schedule(tmp_path):
    state, _ = run(tmp_path, "a", until=4)
    assert state.step == 4
    state, _ = run(tmp_path, "a", until=100)
    assert state.step == 7
    whole, _ = run(tmp_path, "b")
    assert torch.equal(state.network[1].weight, whole.network[1].weight)


def test_accumulated_micro_batches_are_one_batch():
    weights = []
    for accumulate in (1, 2, 4):
        task = Line(accumulate=accumulate)
        state = TrainingState.begin(task.network, task.optimiser)
        losses = take_step(task, state, SHORT, task.prepare(0))
        weights.append((task.network[1].weight.detach(), losses["loss"]))
    for weight, loss in weights[1:]:
        torch.testing.assert_close(weight, weights[0][0])
        assert loss == pytest.approx(weights[0][1])


def test_gradients_are_cut_to_the_norm():
    task = Line(lr=1.0)
    before = [p.detach().clone() for p in task.network.parameters()]
    take_step(
        task, TrainingState.begin(task.network, task.optimiser), replace(SHORT, clip_norm=0.25), task.plan
    )
    moved = torch.cat([(p - b).flatten() for p, b in zip(task.network.parameters(), before, strict=True)])
    assert moved.norm().item() == pytest.approx(0.25, rel=1e-4)


def test_a_step_that_would_spoil_the_run_is_left_out():
    task = Line()
    state = TrainingState.begin(task.network, task.optimiser)
    real, task.losses = task.losses, lambda *given: (real(*given)[0] * float("nan"), {})
    before = task.network[1].weight.detach().clone()
    assert np.isnan(take_step(task, state, SHORT, task.plan)["loss"])
    assert torch.equal(task.network[1].weight, before)
    assert state.step == 1


def test_bfloat16_predicts_and_nothing_else(tmp_path):
    task = Line()
    state, _ = run(tmp_path, "a", task, replace(SHORT, bf16=True))
    assert set(task.told) == {torch.bfloat16}
    assert {p.dtype for p in state.network.parameters()} == {torch.float32}
    assert {p.dtype for p in state.average.parameters()} == {torch.float32}
    precise = Line()
    run(tmp_path, "b", precise)
    assert set(precise.told) == {torch.float32}


def test_the_average_follows_faster_at_first():
    average, network = nn.Linear(1, 1), nn.Linear(1, 1)
    network.kept = nn.Buffer(torch.tensor(3.0))
    average.kept = nn.Buffer(torch.tensor(0.0))
    network.bias.requires_grad_(False)
    for parameters, value in ((average, 0.0), (network, 1.0)):
        nn.init.constant_(parameters.weight, value)
        nn.init.constant_(parameters.bias, value)
    move_average(average, network, 0.9, step=2)
    assert average.weight.item() == pytest.approx(1 - 2 / 12)
    move_average(average, network, 0.9, step=1000)
    assert average.weight.item() == pytest.approx(1 - 0.9 * 2 / 12)
    assert average.bias.item() == 0  # frozen
    assert average.kept.item() == 3


def test_samples_come_before_the_first_step_at_intervals_and_at_the_end(tmp_path):
    told = []
    _, log = run(tmp_path, "a", Line(), replace(SHORT, sample_every=3, log_every=100), report=told.append)
    measured = [record for record in told if "held_out/squares" in record]
    assert [record["step"] for record in measured] == [0, 3, 6, 7]
    assert {record["steps"] for record in told} == {7}
    assert measured[-1]["held_out/squares"] < measured[0]["held_out/squares"]
    assert [record["step"] for record in log if "held_out/squares" in record] == [0, 3, 6, 7]
    assert [
        record["step"] for record in told if "loss" in record and "held_out/squares" not in record
    ] == list(range(1, 8))


def test_watched_ends_with_the_same_bits_and_the_same_lines(tmp_path):
    """Whoever measures draws random numbers too, and the network has dropout."""
    asked = []

    def measure(path):
        asked.append(load_file(path))
        torch.randn(5)
        return {"real/pck": 0.5} if len(asked) != 2 else {}  # the second time it is broken off

    told = []
    plain, log = run(tmp_path, "plain")
    watched, again = run(tmp_path, "watched", watch=Watch(measure, 0.0), report=told.append)
    for name in ("network", "average"):
        one, two = (getattr(state, name).state_dict() for state in (plain, watched))
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert [(r["step"], r["loss"]) for r in log] == [(r["step"], r["loss"]) for r in again if "loss" in r]
    measured = [{"step": step, "real/pck": 0.5} for step in (1, 3, 4, 5, 6, 7)]
    assert [record for record in again if "real/pck" in record] == measured
    assert [record for record in told if "real/pck" in record] == [one | {"steps": 7} for one in measured]
    assert all(torch.equal(asked[-1][key], tensor) for key, tensor in watched.average.state_dict().items())


def test_figures_come_by_the_clock_and_at_the_end(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock[0])

    def a_minute_later(record):
        clock[0] += 60 * ("loss" in record)

    asked = []
    measure = lambda path: asked.append(clock[0]) or {"real/pck": 1.0}  # noqa: E731
    run(tmp_path, "a", watch=Watch(measure, 150.0), report=a_minute_later)
    assert asked == [180.0, 360.0, 420.0]
    asked.clear()
    run(tmp_path, "b", watch=Watch(measure, 1e9), stop=stop_after(2))
    assert len(asked) == 1  # stopped: what has come of it until now


class Board:
    """What stands in for TensorBoard's writer, and remembers."""

    def __init__(self, folder, purge_step):
        self.folder, self.scalars = folder, {}
        boards.append(self)

    def add_scalar(self, name, value, step):
        self.scalars.setdefault(name, []).append((step, value))

    def flush(self):
        pass


boards = []


def test_curves_are_of_losses_and_of_all_that_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(log_module, "check_tensorboard", lambda: Board)
    watch = Watch(lambda path: {"real/pck": 0.25}, 1e9)
    _, log = run(tmp_path, "a.b", Line(), replace(SHORT, sample_every=3), tensorboard=True, watch=watch)
    board = boards.pop()
    assert board.folder == str(tmp_path / "a.b.tensorboard")
    assert board.scalars["real/pck"] == [(7, 0.25)]
    for name, measured in (("held_out/squares", [0, 3, 6, 7]), ("loss", range(1, 8))):
        assert [step for step, _ in board.scalars[name]] == list(measured)
        assert board.scalars[name] == [(record["step"], record[name]) for record in log if name in record]
    Log(tmp_path / "folder" / "log.jsonl", 0, tensorboard=True)
    assert boards.pop().folder == str(tmp_path / "folder" / "tensorboard")


def test_what_comes_before_the_first_step_is_told(tmp_path):
    said = []
    run(tmp_path, "a", Line(), replace(SHORT, sample_every=3), tell=said.append)
    assert said == ["drawing the first sample", "making the first batch"]


def test_what_makes_batches_is_let_go_of_however_it_ends(tmp_path):
    whole = Line()
    run(tmp_path, "a", whole)
    assert whole.closed == 1
    killed = Line()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "b", killed, report=killed_at(2))
    assert killed.closed == 1


def test_a_step_that_lacks_its_batch_because_of_the_stop_is_not_taken(tmp_path):
    task, stopped = Line(), []
    real = task.batch

    def batch(step, part):
        if step == 4:
            stopped.append(True)  # Ctrl-C reached whoever makes batches
            raise ChorosError("no batch.")
        return real(step, part)

    task.batch = batch
    state, _ = run(tmp_path, "a", task, stop=lambda: bool(stopped))
    assert state.step == 4
    resumed, _ = run(tmp_path, "a", Line())
    whole, _ = run(tmp_path, "b", Line())
    assert torch.equal(resumed.network[1].weight, whole.network[1].weight)
    stopped.clear()
    task = Line()
    task.batch = lambda step, part: batch(4, part)
    with pytest.raises(ChorosError, match="no batch"):
        run(tmp_path, "c", task)


def test_training_leaves_the_generators_of_others_alone(tmp_path):
    learner = Line(dropout=0.5)
    torch.manual_seed(5)
    expected, numpys = torch.rand(3), np.random.get_state()[1].copy()  # noqa: NPY002
    torch.manual_seed(5)
    run(tmp_path, "a", learner)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(np.random.get_state()[1], numpys)  # noqa: NPY002


def test_global_generators_are_set_in_one_place_alone():
    found = []
    for path in Path(choros.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute) or ast.unparse(node.value) == "torch.Generator()":
                continue
            if node.attr in ("manual_seed", "seed_all", "fork_rng") or ast.unparse(node) == "np.random.seed":
                found.append(path.name)
    assert set(found) == {"seeding.py"}
