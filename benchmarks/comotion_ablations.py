"""What CoMotion's parts and stages are worth (paper A.2.1, table 6, figure 7), with the same number of steps each.

    python benchmarks/comotion_ablations.py -o DIR --share 0.2 --data crossing
    python benchmarks/comotion_ablations.py -o DIR --share 0.02 --encoder FILE --data crossing
    python benchmarks/comotion_ablations.py -o DIR --weights FILE --data crossing    # only wrong focal lengths

Every variation is trained by the command that trains what ships, into a folder of its own; run again, it goes on
where it was stopped. All are judged by windows of 16 and 48 frames whose first boxes are given (`oracle16`,
`oracle48`). It prints what comes out, whichever way it points, and writes it to ``ablations.json``.

From nothing that takes days, most of them for the encoder to see keypoints. With ``--encoder`` every variation begins
with the encoder of these weights, which no variation is about, and with all else from nothing.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from choros import systems, weights
from choros.comotion.config import ComotionConfig
from choros.comotion.network import SYSTEM, ComotionNetwork
from choros.evaluation.benchmark import run_benchmark
from choros.evaluation.sources import open_data
from choros.tracking.stream import Stream, System
from choros.training.comotion.recipe import ENCODER, RECIPES

#: The stages and the other options of each.
VARIATIONS: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "all of it": ((1, 2, 3), ()),
    "no hidden state": ((1, 2, 3), ("--no-hidden-state",)),
    "standing start": ((1, 2, 3), ("--standing-start",)),
    "stage 1": ((1,), ()),
    "stages 1 and 2": ((1, 2), ()),
    "stage 3 of 4 frames": ((1, 2, 3), ("--frames", "4")),
}
FOCAL = (0.5, 0.75, 1.0, 1.5, 2.0)
SHOWN = ("pck_05", "mpjpe_mm", "mpjpe_occluded_mm", "pa_mpjpe_mm", "IDF1", "id_switches")


class AssumedFocal:
    """A system that is told a focal length so many times the one assumed."""

    def __init__(self, system: System, factor: float) -> None:
        self.system, self.factor, self.name = system, factor, f"focal length x {factor:g}"

    def stream(self, K: np.ndarray | None = None) -> Stream:
        assert K is not None
        told = K.copy()
        told[:2, :2] *= self.factor
        return self.system.stream(told)


def beginning(path: Path, encoder: Path, options: tuple[str, ...]) -> Path:
    """The encoder of the weights ``encoder``, and everything else new."""
    tensors, metadata = weights.load(encoder, SYSTEM)
    config = replace(
        ComotionConfig(**metadata["config"]),
        hidden_state="--no-hidden-state" not in options,
        learned_initialisation="--standing-start" not in options,
    )
    network = ComotionNetwork(config)
    kept = {name: tensor for name, tensor in tensors.items() if name.startswith(ENCODER)}
    network.load_state_dict(kept, strict=False)
    network.save(path, {"steps": 0})
    return path


def trained(folder: Path, variation: str, share: float, encoder: Path | None) -> Path:
    """Weights of a variation, as many steps as ``share`` of the whole recipe."""
    stages, options = VARIATIONS[variation]
    if encoder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        options += ("--weights", str(beginning(folder / "start.safetensors", encoder, options)))
    steps = [stage.steps for stage in RECIPES["small"].stages]
    share *= sum(steps) / sum(steps[number - 1] for number in stages)
    command = [sys.executable, "-m", "choros.cli.main", "train", "comotion", "-o", str(folder), "--resume"]
    command += ["--share", f"{share:.6g}", "--stages", *map(str, stages), *options]
    subprocess.run(command, check=True)
    return folder / "weights.safetensors"


def judged(
    judges: dict[str, System], data: str, shown: tuple[str, ...]
) -> dict[str, dict[str, dict[str, float | None]]]:
    """Protocol -> variation -> measures, printed as a table too."""
    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for protocol in ("oracle16", "oracle48"):
        runs = run_benchmark(judges, {data: open_data(data)}, protocol=protocol)
        found[protocol] = {run.system: {key: run.record()["metrics"][key] for key in shown} for run in runs}
        print(f"\n{protocol} on {data}\n{'':22}" + "".join(f"{name:>20}" for name in shown))
        for name, measures in found[protocol].items():
            cells = (f"{'-' if v is None else format(v, '.3f'):>20}" for v in measures.values())
            print(f"{name:22}" + "".join(cells))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument(
        "--share", type=float, default=0.2, help="of the small recipe's steps, for each variation"
    )
    parser.add_argument("--data", default="crossing", help="a named set, or a folder of its clips")
    parser.add_argument("--encoder", type=Path, help="weights whose encoder every variation begins with")
    parser.add_argument(
        "--weights", type=Path, help="train nothing; only assume wrong focal lengths with these"
    )
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    found = {"share": args.share, "data": args.data}
    whole_file = args.weights
    if whole_file is None:
        files = {name: trained(args.output / name, name, args.share, args.encoder) for name in VARIATIONS}
        variations = {
            name: systems.load("comotion", weights_path=file, fit_keypoints=False)
            for name, file in files.items()
        }
        found["variations"] = judged(variations, args.data, SHOWN)
        (args.output / "ablations.json").write_text(json.dumps(found, indent=1))
        whole_file = files["all of it"]
    whole = systems.load("comotion", weights_path=whole_file, fit_keypoints=False)
    assumed = [AssumedFocal(whole, factor) for factor in FOCAL]
    # Of these the records hold the true K, so nothing can be said of where a wrong one puts them in the picture.
    shown = tuple(name for name in SHOWN if name != "pck_05")
    found["focal lengths"] = judged({system.name: system for system in assumed}, args.data, shown)
    (args.output / "ablations.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
