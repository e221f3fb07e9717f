"""Audience: the contacts of a business unit."""
