"""Training of 4DHumans: HMR 2.0 from crops of people in public sets, and what it takes for that."""
