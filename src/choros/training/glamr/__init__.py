"""The training of GLAMR's motion infiller and trajectory predictor."""
