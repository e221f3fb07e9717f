"""Counts of what every process does, kept in one place: a scrape of any of them tells of all."""
