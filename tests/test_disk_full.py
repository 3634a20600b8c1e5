"""A disk that is full at any write: the old file is as it was, and the error is the system's own, which `main` says.

No file may grow beyond so many bytes (RLIMIT_FSIZE), which every writer meets as it would a full disk, libraries in C
too.
"""

import errno
import os
import resource
import shutil
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest
import torch

from choros import weights
from choros.batch.outcome import DONE, Outcome
from choros.cli.main import main
from choros.editing.edit_list import write_list
from choros.errors import ChorosError
from choros.exporters.formats import FORMATS
from choros.motion import Motion
from choros.track_video import track_to_file
from choros.training.checkpoint import TrainingState, save_checkpoint
from choros.training.log import Log
from choros.video import VideoWriter
from choros.view.html_page import write_page
from tests.exporters.walkers import walkers
from tests.tracking.every_system import Bright
from tests.tracking.every_system import walkers as things
from tests.tracking.toy import ToySystem


@contextmanager
def room_for(n_bytes):
    """In a file; more is refused."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def film(path):
    with VideoWriter(path, 160, 120, Fraction(15)) as writer:
        for i in range(12):
            writer.write(
                np.random.default_rng(i).integers(0, 256, (120, 160, 3)).astype(np.uint8), Fraction(i, 15)
            )


def trained(path):
    network = torch.nn.Linear(20, 20)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(20)).sum().backward()
    optimiser.step()
    save_checkpoint(path, "line", TrainingState.begin(network, optimiser))


WRITERS = {
    "motion.npz": lambda path: walkers().save(path),
    "weights.safetensors": lambda path: weights.save(path, {"a": torch.zeros(500)}, {"system": "x"}),
    "run.checkpoint": trained,
    "outcome.json": lambda path: Outcome("a", "a.mp4", DONE, warnings="w" * 500).write(path.parent),
    "edits.toml": lambda path: write_list(path, ()),
    "log.jsonl": lambda path: Log(path, 3),
    "page.html": lambda path: write_page([("walkers", walkers())], path),
    "film.mp4": film,
    **{
        f"{one.name}{one.suffix}": lambda path, one=one: one.write(walkers("world"), path)
        for one in FORMATS.values()
        if not one.extra
    },
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_old_file_is_as_it_was(tmp_path, name):
    path = tmp_path / name
    if name == "log.jsonl":
        path.write_text("".join(f'{{"step": {k}}}\n' for k in range(1, 4)))
    WRITERS[name](path)
    before = {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
    longest = max(map(len, before.values()))
    if not longest:
        pytest.skip("an empty file needs no room")
    for room in {0, longest // 2, longest - 1}:
        with room_for(room), pytest.raises((OSError, ChorosError)) as refused:
            WRITERS[name](path)
        assert len(str(refused.value).splitlines()) == 1
        assert {one: one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()} == before


def test_tracking_leaves_the_old_motion_and_goes_on_later(tmp_path):
    clip, out = tmp_path / "clip.mp4", tmp_path / "out" / "motion.npz"
    with VideoWriter(clip, 160, 120, Fraction(15)) as writer:
        for i in range(20):
            writer.write(things(i), Fraction(i, 15))
    whole = track_to_file(clip, out, ToySystem(Bright())).path.read_bytes()
    for room in (0, 3000, len(whole) // 2):
        with room_for(room), pytest.raises(OSError, match="File too large"):
            track_to_file(clip, out, ToySystem(Bright()))
        assert out.read_bytes() == whole or len(Motion.load(out)) < 20
        track_to_file(clip, out, ToySystem(Bright()), resume=True)
        assert out.read_bytes() == whole
        assert sorted(path.name for path in out.parent.iterdir()) == ["motion.npz", "tracks.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_the_command_says_it_in_a_sentence(tmp_path, monkeypatch, capsys, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    walkers().save(tmp_path / "m.npz")
    shutil.copy(tmp_path / "m.npz", tmp_path / "m.csv")
    monkeypatch.setattr("choros.outputs.os.fsync", full)
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "m.npz"), "--to", "csv"])
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.count("\n") == 1
    assert os.strerror(number) in said
    assert "space left" in said
    assert (tmp_path / "m.csv").read_bytes() == (tmp_path / "m.npz").read_bytes()
