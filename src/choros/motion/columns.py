"""What everybody's rows and one person's are read by: the columns of ``ROW`` that have the same name in both."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.motion.extras import extras_of

Singles = NDArray[np.float32]


class Columns:
    """Properties for the columns of ``rows``, (n,) ROW and extras, in their order; views, not copies."""

    rows: NDArray[np.void]

    @property
    def global_orient(self) -> Singles:
        """Turn of the pelvis, (n, 3) axis-angle, rad, in the motion's space."""
        return self.rows["global_orient"]

    @property
    def body_pose(self) -> Singles:
        """Turns of the 23 other joints, (n, 69) axis-angle, rad, each in its parent."""
        return self.rows["body_pose"]

    @property
    def betas(self) -> Singles:
        """Shape, (n, 10)."""
        return self.rows["betas"]

    @property
    def kid(self) -> Singles:
        """The open body's child axis, (n,), 0 adult to 1 child."""
        return self.rows["kid"]

    @property
    def transl(self) -> Singles:
        """(n, 3) metres, in the motion's space; the pelvis is at its rest place + transl."""
        return self.rows["transl"]

    @property
    def confidence(self) -> Singles:
        """How sure the system is of each pose, (n,), 0 to 1."""
        return self.rows["confidence"]

    @property
    def visible(self) -> NDArray[np.bool_]:
        """False where the person was not seen in that frame, (n,)."""
        return self.rows["visible"]

    @property
    def box_px(self) -> Singles:
        """x0, y0, x1, y1 in the image, (n, 4); as expected where not visible."""
        return self.rows["box_px"]

    @property
    def keypoints_px(self) -> Singles:
        """COCO's 17 keypoints as they were found, (n, 17, 3): x, y, confidence; 0 where there is none."""
        return self.rows["keypoints_px"]

    @property
    def extras(self) -> dict[str, NDArray[Any]]:
        """What the system has on people beyond the columns that all have, each (n, ...), by its name."""
        return extras_of(self.rows)
