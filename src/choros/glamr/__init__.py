"""GLAMR (Yuan et al., CVPR 2022): motion nobody saw, and everyone in one world.

Here are the motion infiller (section 3.1), the trajectory predictor (3.2) and the global optimisation (3.3).
"""
