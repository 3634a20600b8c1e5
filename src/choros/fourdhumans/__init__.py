"""4DHumans (Goel et al. 2023): people from crops, and following them by what they look like, do and will do next."""
