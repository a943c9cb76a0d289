"""Handcrafted features for the accuracy bench: scattering coefficients of public image sets (Tramer & Boneh 2021, arXiv:2011.11660)."""
