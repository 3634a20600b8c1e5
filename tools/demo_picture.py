"""Makes the moving picture of the README: the scene of ``choros demo``, with everyone who was tracked in it.

    python tools/demo_picture.py -o docs/pictures/demo.webp

Films the made-up scene on the CPU (the same pictures everywhere), tracks it as ``choros track`` does, draws everyone
over every second frame as ``choros show`` does, and writes it small. The suffix tells what is written: .webp or .gif.
"""

import argparse
import tempfile
from pathlib import Path

import cv2

import choros
from choros.scenes import SceneConfig, make_scene
from choros.video import VideoWriter
from choros.view.overlay import Overlay, body_of

WIDTH, HEIGHT = 640, 360
EVERY = 2  # frames of the scene to one of the picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/pictures/demo.webp"))
    parser.add_argument(
        "--seed", type=int, default=7, help="another seed, other people (default: the demo's)"
    )
    parser.add_argument("--seconds", type=float, default=4.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = SceneConfig(seconds=options.seconds, people=5, device="cpu")
        make_scene("crossing", options.seed, config).write(Path(folder))
        video = Path(folder) / "video.mp4"
        draw(choros.track(video).settled(), video, options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


def draw(motion: choros.Motion, video: Path, output: Path) -> None:
    """Everyone of ``motion`` over every ``EVERY``-th frame of the video that it was tracked in."""
    overlay = Overlay(body_of(motion, None), motion.width, motion.height)
    with choros.open_video(video) as reader, VideoWriter(output, WIDTH, HEIGHT, motion.fps / EVERY) as writer:
        for frame in reader:
            if frame.index % EVERY:
                continue
            camera = motion.frames[frame.index]
            people = motion.in_frame(frame.index)
            drawn = overlay.draw(frame.image, people, camera["K"], camera["T_world_camera"])
            writer.write(cv2.resize(drawn, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), frame.pts)


if __name__ == "__main__":
    main()
