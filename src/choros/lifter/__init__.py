"""The lifter: people are detected, their keypoints lifted to 3D bodies, and bodies associated over time.

`choros.lifter.system.LifterSystem` is the whole, `choros.lifter.network.Lifter` its network.
"""
