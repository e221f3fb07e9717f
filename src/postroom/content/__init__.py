"""The pure room: a definition version and one message's values in, the bytes of one mail out.

Nothing here does I/O, reads a clock or draws a random number, and nothing of ours outside this package is
imported: the same content and the same context give the same bytes, in every process, on every attempt.
"""
