"""Training of the small keypoint network that ships: crops of people, labelled by hand, by two teachers, or made up."""
