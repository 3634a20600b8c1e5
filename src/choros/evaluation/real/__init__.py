"""Systems on real video and real pictures that nobody trains on: what decides which of them is best."""
