"""Postroom: the Marketing Cloud Transactional Messaging API as a program you can run."""

__version__ = "0.1.0"
