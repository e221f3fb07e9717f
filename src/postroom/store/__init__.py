"""PostgreSQL, the only thing that remembers: the pool, the migrations and the embedded server.

Knows no room of the pipeline; what the tables mean is said beside the statements that use them.
"""
