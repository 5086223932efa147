"""Diffusion: noise schedules, samplers, and noise as a function of position."""
