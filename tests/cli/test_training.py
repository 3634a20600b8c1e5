"""A long run tells where it stands, and stops so that it can go on."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import choros
from choros import weights
from choros.backbones import trunk
from choros.cli import stopping as stopping_module
from choros.cli.grammar import as_spelled_today
from choros.cli.main import main
from choros.cli.progress import EVERY_S, RunProgress
from choros.cli.stopping import Stop, stopping
from choros.evaluation.real import watched as watched_footage
from choros.exporters.bvh import write_bvh
from choros.fourdhumans.config import POSE_TRANSFORMER_PRESETS
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.training.comotion import train as comotion
from choros.training.comotion.feed import Options
from choros.training.comotion.held_out import HeldOut
from choros.training.pose_transformer.recipe import POSE_TRANSFORMER_RECIPES
from tests.docs.test_docs import waving
from tests.training.comotion.drawn import TINY, Dots, drawn_footage, recipe, stage

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(choros.__file__).parents[1]), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def mocap(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mocap")
    write_bvh(waving(), folder / "waving.bvh")
    return folder


@pytest.fixture
def clock():
    """A clock that stands until it is set."""
    now = [100.0]
    return now


def progress(clock, **options):
    return RunProgress(clock=lambda: clock[0], every_s=1e9, **options)


# What the lines say ---------------------------------------------------------------------------------------


def test_a_line_says_step_losses_and_time_left(clock, capsys):
    with progress(clock) as told:
        told.say("making the first clips")
        clock[0] += 12
        assert told.line() == "making the first clips, 12 s"
        told.update({"step": 11, "steps": 1010, "stage": "images", "loss": 4.0, "pose": 1.0})
        clock[0] += 2
        told.update({"step": 12, "steps": 1010, "stage": "images", "loss": 3.0, "pose": 0.5})
        clock[0] += 2
        told.update({"step": 13, "steps": 1010, "stage": "images", "loss": 1.0, "pose": 0.25})
        assert told.line() == "step 13 of 1010 (images), loss 2, pose 0.375, 2 s a step, 33 min left"
        clock[0] += 100  # a step that takes long: still the same losses are not told twice
        assert told.line().startswith("step 13 of 1010 (images), 52 s a step, ")
    assert capsys.readouterr().out.splitlines() == [
        "making the first clips, 0 s",
        "step 11 of 1010 (images), loss 4, pose 1",
    ]


def test_what_was_measured_and_the_last_steps_are_told_at_once(clock, capsys):
    with progress(clock) as told:
        told.update(
            {"step": 0, "steps": 3, "held_out/mpjpe_seen_mm": 412.345, "sample": "samples/0000000.png"}
        )
        for step in (1, 2, 3):
            told.update({"step": step, "steps": 3, "loss": float(step)})
            clock[0] += 1
    assert capsys.readouterr().out.splitlines() == [
        "step 0 of 3, held out: mpjpe_seen_mm 412.3; drawn in samples/0000000.png",
        "step 1 of 3, loss 1",
        "step 3 of 3, loss 2.5, 1.5 s a step, 0 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (99, "99 s"), (600, "10 min"), (11_100, "3 h 05 min"), (2e5, "2 days 7 h")],
)
def test_time_is_told_as_people_do(clock, seconds, said):
    told = progress(clock)
    told.update({"step": 1, "steps": 3})
    clock[0] += seconds
    told.update({"step": 2, "steps": 3})
    assert told.line().endswith(f", {said} left")


def test_lines_come_by_the_clock_and_not_by_steps(capsys):
    with RunProgress(every_s=0.05) as told:
        told.update({"step": 1, "steps": 9, "loss": 1.0})
        time.sleep(0.5)  # one long step
    assert 4 <= len(capsys.readouterr().out.splitlines()) <= 11
    with RunProgress(every_s=0.2) as told:
        for step in range(1, 200):
            told.update({"step": step, "steps": 200, "loss": 1.0})
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert EVERY_S <= 5


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("training", [False, True])
def test_a_terminal_has_a_bar_and_of_trainings_lines_above_it(monkeypatch, training):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    with RunProgress(on_terminal=training) as told:
        told.say("reading [mocap]")
        told.update({"step": 1, "steps": 3, "loss": 1.0})
        told.update({"step": 1, "steps": 3, "real/lsp_pck_10": 0.8})
    assert sys.stdout.getvalue() == ""
    drawn = sys.stderr.getvalue()
    for line in ("reading [mocap], 0 s", "step 1 of 3, loss 1", "step 1 of 3, real footage: lsp_pck_10 0.8"):
        assert (line in drawn) == training
    assert "1/3" in drawn


def test_what_is_measured_meanwhile_is_told_until_the_next_step(clock, capsys):
    with progress(clock) as told:
        told.update({"step": 1, "steps": 9, "loss": 1.0})
        told.say("real: lsp_extended")
        told.count(7, 183, what="pictures")
        clock[0] += 3
        assert told.line() == "real: lsp_extended, 7 of 183 pictures, 3 s"
        told.update({"step": 1, "steps": 9, "real/lsp_pck_10": 0.8125, "sample": "1.png"})
        assert told.line().startswith("step 1 of 9")
        told.note("a line of its own")
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "step 1 of 9, real footage: lsp_pck_10 0.8125; drawn in 1.png",
        "a line of its own",
    ]


def test_nothing_in_lines_by_torchruns_other_processes(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    with RunProgress() as told:
        told.say("making")
        told.update({"step": 1, "steps": 3, "loss": 1.0})
    assert capsys.readouterr().out == ""


def test_a_reader_that_left_ends_no_run(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    for stdout in (Gone(), None):
        monkeypatch.setattr(sys, "stdout", stdout)
        with RunProgress() as told:
            told.update({"step": 1, "steps": 3, "loss": 1.0})


# Runs -----------------------------------------------------------------------------------------------------


def test_every_training_from_mocap_tells_of_its_steps(mocap, tmp_path, capsys):
    for network in ("infiller", "trajectory"):
        output = tmp_path / f"{network}.safetensors"
        main(["train", network, "--mocap", str(mocap), "--any-licence", "--steps", "3", "-o", str(output)])
        said = capsys.readouterr().out.splitlines()
        assert said[0].startswith(f"reading {mocap}")
        assert "held-out figures: off, for nothing of this motion can be held out" in said
        assert any(line.startswith("making the first batch") for line in said)
        sheet = f"{output}.samples/0000000.png"
        assert f"step 0 of 3, drawn in {sheet}" in said
        assert Path(sheet).stat().st_size > 1000
        assert any(re.fullmatch(r"step 1 of 3, loss -?[\d.e+-]+", line) for line in said), said
        assert any(line.startswith("step 3 of 3, loss ") for line in said)
        assert said[-1].startswith(f"{output}: trained on ")
        logged = [json.loads(line) for line in Path(f"{output}.jsonl").read_text().splitlines()]
        assert [record["step"] for record in logged] == [0, 3, 3]


def test_every_training_stops_at_a_step_or_after_minutes_and_goes_on(mocap, tmp_path, capsys):
    def training(name, *options):
        line = ["train", "infiller", "--mocap", str(mocap), "--any-licence", "--steps", "4"]
        main([*line, "-o", str(tmp_path / name), *options])
        return capsys.readouterr().out.splitlines()[-1]

    assert training("run", "--until", "1").endswith(", 1 of 4 steps; the same command goes on")
    assert weights.load(tmp_path / "run/weights.safetensors", "infiller")[1]["steps"] == 1
    assert training("run", "--minutes", "1e-9").endswith(", 2 of 4 steps; the same command goes on")
    assert training("run").endswith("frames of motion")
    names = ["checkpoint.safetensors", "log.jsonl", "samples", "weights.safetensors"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == names
    training("whole.safetensors")
    one, two = (load_file(tmp_path / name) for name in ("run/weights.safetensors", "whole.safetensors"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_resume_is_what_happens_anyway():
    spelled = as_spelled_today(["train", "comotion", "-o", "run", "--resume", "--steps", "90"])
    assert spelled == ["train", "comotion", "-o", "run", "--steps", "90"]
    assert as_spelled_today(["track", "clip.mp4", "--resume"]) == ["track", "clip.mp4", "--resume"]
    assert as_spelled_today(["train", "comotion", ""]) == ["train", "comotion", ""]


def test_figures_on_real_footage_are_told_while_a_system_learns(mocap, tmp_path, monkeypatch, capsys):
    """And Ctrl-C while they are measured ends the run after one more step, which waits for no figures."""
    monkeypatch.setattr(watched_footage.PARTS["lsp"][0].__class__, "missing", lambda part, root: None)
    asked = []

    def measure(self, weights):
        asked.append(weights)
        self._progress("real: lsp", 3, 9)
        if len(asked) == 3:
            signal.raise_signal(signal.SIGINT)
            self._progress("real: lsp", 4, 9)
        return {"real/lsp_pck_10": 0.5}

    monkeypatch.setattr(watched_footage.WatchedFootage, "measure", measure)
    line = [
        "train",
        "lifter",
        "--mocap",
        str(mocap),
        "--any-licence",
        "--steps",
        "30",
        "-o",
        str(tmp_path / "run"),
    ]
    with pytest.raises(SystemExit) as ended:
        main([*line, "--real", str(tmp_path), "--real-every", "1e-9"])
    assert ended.value.code == 130
    said = capsys.readouterr().out.splitlines()
    assert "step 2 of 30, real footage: lsp_pck_10 0.5" in said
    logged = [json.loads(text) for text in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in logged if "real/lsp_pck_10" in record] == [1, 2]
    assert weights.load(tmp_path / "run/weights.safetensors", "lifter")[1]["steps"] == 4


def test_the_pose_transformer_in_both_sizes(mocap, tmp_path, capsys, monkeypatch):
    quick = replace(
        POSE_TRANSFORMER_RECIPES["small"], sizes=((2, 12),), asked=4, improvised=1, improvised_s=1.0
    )
    for size in ("small", "paper"):
        monkeypatch.setitem(POSE_TRANSFORMER_RECIPES, size, quick)
        output = tmp_path / f"{size}.safetensors"
        main(["train", "pose-transformer", "--mocap", str(mocap), "--any-licence", "--steps", "2", "--size", size,
              "-o", str(output)])  # fmt: skip
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"{output}: trained on ")
        assert PoseTransformer.load(output).config == POSE_TRANSFORMER_PRESETS[size]
        command = weights.load(output, "pose-transformer")[1]["command"]
        assert command.endswith(" --size paper") == (size == "paper")


@pytest.fixture
def watched(monkeypatch):
    """A small run with held-out clips that are measured in no time."""
    monkeypatch.setitem(trunk.TRUNKS, "dots", Dots)
    monkeypatch.setattr(HeldOut, "measure", lambda self, network, step: {"held_out/mpjpe_seen_mm": 1.0})
    monkeypatch.setattr(HeldOut, "draw", lambda self, network, step: True)
    return recipe(stage(steps=6), held_out_clips=2, held_out_every=4, log_every=5)


def test_a_sample_comes_before_the_first_step_and_steps_stop_a_run(watched, tmp_path):
    options = Options(network=TINY, footage={"drawn": drawn_footage}, workers=0)
    told = []
    assert not comotion.train(watched, tmp_path / "a", options, {}, until=3, report=told.append)
    assert [record["step"] for record in told if "held_out/mpjpe_seen_mm" in record] == [3]
    assert told[0]["step"] == 0
    assert told[0]["sample"].endswith("0000000.png")
    assert [record["step"] for record in told if "loss" in record] == [1, 2, 3]
    assert {record["steps"] for record in told} == {3}
    told.clear()
    assert comotion.train(watched, tmp_path / "a", options, {}, report=told.append)
    assert [record["step"] for record in told if "held_out/mpjpe_seen_mm" in record] == [4, 6]
    # The schedule is the whole recipe's: in two parts it ends where it ends at once.
    assert comotion.train(watched, tmp_path / "b", replace(options), {})
    one, two = (load_file(tmp_path / run / "weights.safetensors") for run in ("a", "b"))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    steps = [
        [json.loads(line)["step"] for line in (tmp_path / run / "log.jsonl").open()] for run in ("a", "b")
    ]
    assert steps == [[0, 3, 3, 4, 5, 6, 6], [0, 4, 5, 6, 6]]


# Stopping -------------------------------------------------------------------------------------------------


def interrupted(stop_asked, times=1):
    with stopping() as stop:
        if stop_asked:
            assert not stop()
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        assert stop()  # the step in hand ends, then the block


def test_ctrl_c_waits_for_the_step_in_hand_once_there_are_steps(monkeypatch):
    with pytest.raises(KeyboardInterrupt) as before_any:
        interrupted(stop_asked=False)
    assert before_any.traceback[-1].name == "interrupt"  # at once
    with pytest.raises(KeyboardInterrupt) as later:
        interrupted(stop_asked=True)
    assert later.traceback[-1].name == "stopping"  # at the block's end
    with pytest.raises(SystemExit) as ended:
        interrupted(stop_asked=True, times=2)
    assert ended.value.code == 130
    clock = [0.0]
    monkeypatch.setattr(stopping_module.time, "monotonic", lambda: clock[0])
    stop = Stop(minutes=2)
    clock[0] = 121
    assert stop()
    assert not stop.interrupted


def test_ctrl_c_keeps_a_run_that_ends_with_the_same_weights(mocap, tmp_path):
    """In processes of their own, as a shell does it; in another the last bits differ."""

    def training(name):
        command = [
            sys.executable,
            "-m",
            "choros",
            "train",
            "infiller",
            "--mocap",
            str(mocap),
            "--any-licence",
        ]
        return subprocess.Popen(
            [*command, "--steps", "12", "-o", f"{name}.safetensors"], cwd=tmp_path, env=ENVIRONMENT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    stopped = training("a")
    for line in stopped.stdout:
        if line.startswith("step 1 of"):
            stopped.send_signal(signal.SIGINT)
            break
    _, error = stopped.communicate(timeout=120)
    assert (stopped.returncode, error) == (130, "choros: stopped; what was done until now is written.\n")
    assert (tmp_path / "a.safetensors.checkpoint").exists()
    assert 0 < weights.load(tmp_path / "a.safetensors", "infiller")[1]["steps"] < 12
    for process in [training("a"), training("b")]:
        process.communicate(timeout=120)
        assert process.returncode == 0
    one, two = (load_file(tmp_path / f"{name}.safetensors") for name in ("a", "b"))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_a_run_goes_on_with_its_own_seed_and_with_more_steps(mocap, tmp_path, capsys):
    def training(*options):
        line = [
            "train",
            "infiller",
            "--mocap",
            str(mocap),
            "--any-licence",
            "-o",
            str(tmp_path / "a.safetensors"),
        ]
        main([*line, *options])

    training("--steps", "2")
    for options, said in (
        (["--seed", "2", "--steps", "2"], "with --seed 1, not 2"),
        (["--steps", "1"], "step 2 already"),
    ):
        with pytest.raises(SystemExit) as ended:
            training(*options)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    training("--steps", "3")
    assert "step 3 of 3" in capsys.readouterr().out
