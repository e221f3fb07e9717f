"""Fixtures that every test folder may use, and how hypothesis works in all of them."""

from hypothesis import settings

pytest_plugins = ["tests.postgres"]

# A busy machine is no failure: how long an example takes is measured in benchmarks, never asserted.
settings.register_profile("postroom", deadline=None)
settings.load_profile("postroom")
