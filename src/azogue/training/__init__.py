"""Training: one loop over steps, its state as one value, and exchangeable back ends."""
