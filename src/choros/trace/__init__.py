"""TRACE: everyone in a picture and the camera's motion in one pass over temporal features (Sun et al., CVPR 2023).

The network is `choros.trace.network.TraceNetwork`, its sizes are in `choros.trace.config`.
"""
