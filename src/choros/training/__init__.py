"""Networks learn: one loop for all, and a folder for each with its data, losses and task."""
