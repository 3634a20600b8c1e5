"""Layers that several networks share: attention, perceptrons, positional encodings, rotation heads."""
