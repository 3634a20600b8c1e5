"""How the camera moved: from what stands still behind the people (``odometry``; ``background`` for trackers, small and
quick), or as somebody has solved it (``solved_cameras``). Systems that place people in the world build on it.
"""
