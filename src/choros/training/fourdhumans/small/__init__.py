"""Training of the small HMR 2.0: crops are looked at once and kept on disk, and its network learns from what was seen.

Crops are of scenes, whose truth is known, and of people in pictures with marked joints; a share of each batch has no
picture at all, but motion capture whose keypoints are reported as the lifter's training does.
"""
