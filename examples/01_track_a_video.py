"""Everyone's motion in a video, kept in a file.

python examples/01_track_a_video.py clip.mp4
"""

import sys

import choros

motion = choros.track(sys.argv[1])
motion.save("motion.npz")
print(motion)

for person in motion.people:
    # Arrays as long as the person is there: SMPL's pose and shape, place, box, keypoints.
    x_m, y_m, z_m = person.transl[0]  # right, down and away from the camera
    print(
        f"person {person.id}: {len(person)} frames, first {z_m:.1f} m away, body_pose {person.body_pose.shape}"
    )
