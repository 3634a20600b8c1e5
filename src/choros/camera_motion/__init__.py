"""How the camera moved, for systems that place people in the world.

``odometry`` estimates it from what stands still behind the people, ``background`` does so coarsely and quickly for
trackers, and ``solved_cameras`` reads what structure from motion or SLAM of others has solved.
"""
