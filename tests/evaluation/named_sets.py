"""What the first clip of each named test set is known to hold, so that nobody changes a set unawares.

After a change that is meant, ``python -m tests.evaluation.named_sets`` makes every scene of every set, and writes
the known answers anew; figures measured before are then of other sets. With a folder of assets as its argument
it does so for the ``*_mocap`` twins too.
"""

import json
import sys
from pathlib import Path

import numpy as np

from choros.evaluation.sources import TEST_SETS, SceneSource, open_data
from choros.scenes import make_scene

KNOWN = Path(__file__).with_name("named_sets.json")


def fingerprint(source: SceneSource) -> dict[str, object]:
    """Where everybody is, what is seen of them, and what the picture looks like, at three moments of a clip.

    Numbers are compared within ``TOLERANCE``, not hashed: processors differ in last digits.
    """
    scene = make_scene(source.kind, source.seed, source.config)
    moments = [0, scene.n_frames // 2, scene.n_frames - 1]
    truths = [scene.arrays_of(range(frame, frame + 1)) for frame in moments]
    picture = scene.frame(moments[1]).astype(np.float64)
    rows, columns = picture.shape[0] // 4, picture.shape[1] // 6
    blocks = picture[: 4 * rows, : 6 * columns].reshape(4, rows, 6, columns, 3).mean(axis=(1, 3))
    return {
        "seed": source.seed,
        "frames": scene.n_frames,
        "K": np.round([t.K[0] for t in truths], 2).tolist(),
        "camera_m": np.round([t.T_world_camera[0, :3, 3] for t in truths], 4).tolist(),
        "transl_m": np.round([t.transl[0] for t in truths], 4).tolist(),
        "box_px": np.round([t.box_px[0] for t in truths], 1).tolist(),
        "visible": np.round([t.visible_fraction[0] for t in truths], 3).tolist(),
        "colours": np.round(blocks, 1).tolist(),
    }


TOLERANCE = {"K": 0.02, "camera_m": 1e-3, "transl_m": 2e-3, "box_px": 1.0, "visible": 0.02, "colours": 2.0}


def main() -> None:
    known = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    assets = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    for name, chosen in TEST_SETS.items():
        if chosen.ingredients and assets is None:
            continue
        sources = open_data(name, assets)
        for source in sources[1:]:
            make_scene(source.kind, source.seed, source.config)
        known[name] = fingerprint(sources[0])
        print(name, known[name]["seed"], known[name]["frames"], flush=True)
        KNOWN.write_text(json.dumps(known, indent=None) + "\n")


if __name__ == "__main__":
    main()
