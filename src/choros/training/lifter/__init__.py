"""The lifter's training: poses nobody captured, random cameras, noisy keypoints."""
