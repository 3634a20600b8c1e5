"""People's motion for a robot: its joints' angles within their limits, by inverse kinematics (mink, MuJoCo)."""
