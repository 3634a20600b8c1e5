"""People as coloured boxes that walk through a picture, as a motion and as its film."""

from fractions import Fraction

import numpy as np

from choros.camera import intrinsics
from choros.motion import FRAME, ROW, Header, Motion
from choros.video import VideoWriter

WIDTH, HEIGHT, FPS = 320, 240, 10
WIDE, HIGH = 24, 72
#: COCO's keypoints in the box: x and y as shares of it.
KEYPOINTS = np.array(
    [(0.5, 0.06), (0.55, 0.05), (0.45, 0.05), (0.6, 0.06), (0.4, 0.06), (0.8, 0.2), (0.2, 0.2), (0.9, 0.35),
     (0.1, 0.35), (0.9, 0.5), (0.1, 0.5), (0.7, 0.5), (0.3, 0.5), (0.7, 0.72), (0.3, 0.72), (0.7, 0.95), (0.3, 0.95)]
)  # fmt: skip
RED, BLUE, GREEN = (200, 40, 40), (40, 60, 200), (40, 170, 60)


class Walk:
    """One track: seconds, place of the box's upper left corner, speed, colour."""

    def __init__(self, person, start_s, end_s, x_px, y_px, speed_px_s=20.0, colour=RED):
        self.person, self.start_s, self.end_s, self.colour = person, start_s, end_s, colour
        self.x_px, self.y_px, self.speed_px_s = x_px, y_px, speed_px_s

    def box(self, time_s):
        x = self.x_px + self.speed_px_s * (time_s - self.start_s)
        return np.array([x, self.y_px, x + WIDE, self.y_px + HIGH])

    def there(self, time_s):
        return self.start_s - 1e-6 <= time_s < self.end_s - 1e-6


def motion_of(walks, seconds):
    frames = np.zeros(round(seconds * FPS), FRAME)
    frames["number"], frames["K"] = np.arange(len(frames)), intrinsics(WIDTH, HEIGHT, focal_px=300)
    frames["T_world_camera"] = np.eye(4)
    rows = []
    for frame in range(len(frames)):
        frames["pts"][frame] = frame, FPS
        for walk in sorted(walks, key=lambda one: one.person):
            if walk.there(frame / FPS):
                row = np.zeros((), ROW)
                row["frame"], row["person"], row["visible"], row["confidence"] = frame, walk.person, True, 1
                box = walk.box(frame / FPS)
                row["box_px"], row["transl"] = box, (0, 0, 4)
                row["keypoints_px"][:, :2] = box[:2] + KEYPOINTS * (box[2:] - box[:2])
                row["keypoints_px"][:, 2] = 0.9
                rows.append(row)
    return Motion(Header(Fraction(FPS), WIDTH, HEIGHT, "walks.mp4"), frames, np.array(rows, ROW))


def film(path, walks, seconds):
    with VideoWriter(path, WIDTH, HEIGHT, Fraction(FPS)) as writer:
        for frame in range(round(seconds * FPS)):
            image = np.full((HEIGHT, WIDTH, 3), 120, np.uint8)
            for walk in walks:
                if walk.there(frame / FPS):
                    x0, y0, x1, y1 = np.clip(
                        walk.box(frame / FPS).round().astype(int), 0, [WIDTH, HEIGHT] * 2
                    )
                    image[y0:y1, x0:x1] = walk.colour
            writer.write(image)
    return path
