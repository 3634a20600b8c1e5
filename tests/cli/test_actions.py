"""``choros actions`` and ``choros train actions``."""

import csv
import re
from functools import partial

import numpy as np
import pytest

from choros import weights
from choros.cli.main import main
from choros.fourdhumans.actions.config import SMALL_ACTIONS
from choros.motion import Motion
from choros.motion.actions import action_intervals
from choros.training.actions import small
from tests.docs.test_docs import waving


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    """Somebody stands on both legs and swings the arms for five seconds."""
    path, standing = tmp_path_factory.mktemp("motion") / "motion.npz", waving()
    standing.rows["body_pose"][:, :6] = 0  # their hips
    standing.save(path)
    return path


def test_timelines_are_printed_and_written(motion, tmp_path, capsys):
    main(["actions", str(motion), "-o", str(tmp_path / "told")])
    said = capsys.readouterr().out.splitlines()
    assert sorted(path.name for path in (tmp_path / "told").iterdir()) == [
        "actions.csv", "elan.txt", "motion.npz", "timeline.png",
    ]  # fmt: skip
    told = Motion.load(tmp_path / "told" / "motion.npz")
    assert told.extras["actions"].shape == (150, len(SMALL_ACTIONS))
    found = action_intervals(told)
    assert "stand" in {one.action for one in found}
    with (tmp_path / "told" / "actions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["person"]), row["action"]) for row in rows] == [
        (one.person, one.action) for one in found
    ]
    tiers = [line.split("\t") for line in (tmp_path / "told" / "elan.txt").read_text().splitlines()]
    assert [tier[3] for tier in tiers] == [one.action for one in found]
    assert re.match(r"person 1: stand 0\.0-[45]\.\d s", said[0])


def test_a_score_that_is_none_is_refused(motion, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["actions", str(motion), "--sure", "2"])
    assert ended.value.code == 2
    assert "--sure" in capsys.readouterr().err


def test_other_weights_are_refused(motion, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["actions", str(motion), "-o", str(tmp_path), "--weights", str(weights.shipped("infiller"))])
    assert ended.value.code == 2
    assert "infiller" in capsys.readouterr().err


def test_training_writes_what_tells(motion, tmp_path, monkeypatch):
    monkeypatch.setattr(
        small, "SmallActionRecipe", partial(small.SmallActionRecipe, staged=1, batch=2, held_out_windows=4)
    )
    from choros.exporters.bvh import write_bvh

    (tmp_path / "mocap").mkdir()
    write_bvh(waving(), tmp_path / "mocap" / "waving.bvh")
    made = tmp_path / "made.safetensors"
    main(
        [
            "train",
            "actions",
            "--mocap",
            str(tmp_path / "mocap"),
            "--any-licence",
            "--steps",
            "2",
            "-o",
            str(made),
        ]
    )
    main(["actions", str(motion), "-o", str(tmp_path / "told"), "--weights", str(made)])
    scores = Motion.load(tmp_path / "told" / "motion.npz").extras["actions"]
    assert ((scores > 0) & (scores < 1)).all()
    assert np.ptp(scores) < 0.8  # two steps teach next to nothing
