"""The training of the network that tells actions, on tracklets of AVA and Kinetics."""
