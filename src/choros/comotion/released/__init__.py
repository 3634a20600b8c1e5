"""CoMotion as its authors released it, a later version than the paper: their names and shapes, our own code."""
