"""Linear models for tables without stochastic gradients: noisy moments, and noise on the minimum of a convex objective."""
