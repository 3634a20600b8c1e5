"""Which of a network's keypoints are COCO's 17."""

from __future__ import annotations

#: Sets that networks are trained on, by how many keypoints they have. All begin with COCO's 17, in COCO's order:
#: Halpe-26 (Fang et al. 2022, github.com/Fang-Haoshu/Halpe-FullBody) goes on with head, neck, hip and feet,
#: COCO-WholeBody (Jin et al. 2020) with feet, face and hands.
BEGIN_WITH_COCO = {17: "COCO", 26: "Halpe", 133: "COCO-WholeBody"}


def why_not(count: int) -> str | None:
    """Why a set of so many keypoints cannot be taken, as part of a sentence; None if it can."""
    if count in BEGIN_WITH_COCO:
        return None
    known = ", ".join(f"{name}'s {many}" for many, name in BEGIN_WITH_COCO.items())
    return f"it has {count} keypoints, and only {known} are known"
