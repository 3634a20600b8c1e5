"""A batch on a Ray cluster of two nodes on this machine: the bytes of the embedded engine, whatever dies meanwhile."""

import os
import threading
import time
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")

from choros.batch import Limits, clips_of, run_batch  # noqa: E402
from choros.batch.outcome import CRASHED, DONE, FAILED, TOO_LONG  # noqa: E402
from choros.batch.ray_engine import on_ray  # noqa: E402
from choros.batch.work import Job  # noqa: E402
from choros.options import TrackOptions  # noqa: E402
from tests.batch.shades import CRASHES, FAULTS, HANGS, SLOW, film, load  # noqa: E402
from tests.batch.test_batch import files, in_turn  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster():
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    nodes = [made.add_node(num_cpus=1) for _ in range(2)]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    ray.init(
        address=made.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths}},
        logging_level="ERROR",
    )  # fmt: skip
    yield made, nodes
    ray.shutdown()
    made.shutdown()


def test_the_same_bytes_when_a_node_dies(tmp_path, cluster):
    made, nodes = cluster
    for name in ("a", "b", "c"):
        film(tmp_path / "in" / f"{name}.mp4")
    film(tmp_path / "in" / "slow.mp4", SLOW, frames=100)
    film(tmp_path / "in" / "slow2.mp4", SLOW, frames=100)
    film(tmp_path / "in" / "fault.mp4", FAULTS)
    clips = clips_of([str(tmp_path / "in")])
    job, alone = (Job(load, TrackOptions(), tmp_path / name) for name in ("ray", "alone"))
    killed = []

    def kill_a_node():
        journals = [
            job.folder / f"{name}.mp4" / "motion.npz.journal" / "checkpoint" for name in ("slow", "slow2")
        ]
        until = time.monotonic() + 300
        while not all(path.exists() for path in journals) and time.monotonic() < until:
            time.sleep(0.2)
        killed.append([path.exists() for path in journals])
        made.remove_node(nodes[0], allow_graceful=False)

    killer = threading.Thread(target=kill_a_node)
    killer.start()
    outcomes = {one.name: one for one in run_batch(clips, job, on_ray("auto"), Limits(workers=4))}
    killer.join()
    assert killed == [[True, True]]  # both nodes were at work
    assert outcomes.pop("fault.mp4").status == FAILED
    assert {one.status for one in outcomes.values()} == {DONE}
    run_batch(clips, alone, in_turn)
    assert files(job.folder) == files(alone.folder)


def test_whatever_befalls_a_clip_the_others_are_done(tmp_path, cluster):
    film(tmp_path / "in" / "crash.mp4", CRASHES)
    film(tmp_path / "in" / "hang.mp4", HANGS)
    film(tmp_path / "in" / "plain.mp4")
    job = Job(load, TrackOptions(), tmp_path / "out")
    outcomes = run_batch(clips_of([str(tmp_path / "in")]), job, on_ray("auto"), Limits(seconds=8))
    assert {one.name: one.status for one in outcomes} == {
        "crash.mp4": CRASHED, "hang.mp4": TOO_LONG, "plain.mp4": DONE,
    }, [one.error for one in outcomes]  # fmt: skip
