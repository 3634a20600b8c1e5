"""What is true of everybody in a scene, measured and written in the forms that data sets have."""
