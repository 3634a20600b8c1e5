"""The HMR 2.0 that ships: a frozen keypoint trunk sees the crop, and a small decoder tells several likely bodies.

It takes what carries over from made-up pictures to real ones: keypoints with the true K, and features sampled at the
keypoints, squeezed through a few noised numbers (CoMotion, A.1). Its keypoint half begins as the lifter's network.
"""
