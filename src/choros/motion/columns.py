"""What ``Motion`` and ``Person`` share: the columns of ``ROW``, and the joints and vertices of their bodies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.extras import extras_of
from choros.registered import registered
from choros.skeleton import joint_index, keypoint_index

Singles = NDArray[np.float32]


class Columns:
    """The columns of ``rows``, (n,) ROW and extras, in their order, as views, and the bodies of the rows."""

    rows: NDArray[np.void]

    @property
    def body(self) -> str:
        """Whose shape it is: ``Header.body``."""
        raise NotImplementedError

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

    # --- bodies -----------------------------------------------------------------------------------

    def joints(self, body: Any = None) -> NDArray[np.float64]:
        """SMPL's 24 joints of every row, (n, 24, 3) metres in the motion's space, in order of ``JOINT_NAMES``.

        ``body`` is the ``BodyModel`` or SMPL file that the motion was tracked with, if it was not the open one.
        Raises ``ChorosError`` without that body.
        """
        self._check_body(body, "joints(body='SMPL_NEUTRAL.pkl')")
        joints: NDArray[np.float64] = registered("joints")(self.rows, body)
        return joints

    def joint(self, name: str, body: Any = None) -> NDArray[np.float64]:
        """Where a joint was, (n, 3) metres in the motion's space: ``motion.people[1].joint("right_wrist")``.

        ``body`` as in ``joints``. Raises ``ChorosError`` on another name, listing them, or without that body.
        """
        index = joint_index(name)
        self._check_body(body, "joint(name, body='SMPL_NEUTRAL.pkl')")
        return self.joints(body)[:, index]

    def vertices(self, body: Any = None) -> Singles:
        """The skin of every row, (n, V, 3) metres in the motion's space; ``BodyModel.load().faces`` joins them.

        Some 80 kB a row: of a long motion take a person, or a part, such as ``motion.between(0, 10)``. ``body`` as in
        ``joints``. Raises ``ChorosError`` without that body.
        """
        self._check_body(body, "vertices(body='SMPL_NEUTRAL.pkl')")
        vertices: Singles = registered("vertices")(self.rows, body)
        return vertices

    def keypoint(self, name: str) -> Singles:
        """Where one of COCO's 17 keypoints was found, (n, 3) x_px, y_px and its confidence, 0 where it was not.

        Raises ``ChorosError`` on another name, listing those there are.
        """
        return self.rows["keypoints_px"][:, keypoint_index(name)]

    def _check_body(self, body: Any, call: str) -> None:
        if body is None and self.body != "open":
            raise ChorosError(f"these people have the {self.body} body; give its file: {call}.")
