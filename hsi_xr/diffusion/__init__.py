"""Schedules, samplers and noise; they know no network."""
