"""CoMotion's training: clips, losses through time, recipes of stages; and labels for real footage."""
