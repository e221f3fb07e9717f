"""The catalogue: what can be sent. Assets, definitions and their immutable versions, lists, classifications."""
