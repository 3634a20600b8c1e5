"""4DHumans (Goel et al. 2023): its networks, and the tracker that they make."""
