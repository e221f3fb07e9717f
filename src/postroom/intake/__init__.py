"""Intake: a validated send request becomes message rows and queue slices, committed to disk, or nothing at all."""
