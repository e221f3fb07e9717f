"""Events: the append-only log of what happened to each message, and the answers read from it."""
