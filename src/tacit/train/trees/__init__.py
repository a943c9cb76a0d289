"""Gradient-boosted trees whose shape is drawn without looking at the data; only what stands in their leaves is paid for."""
