"""The composition root: the one place where settings become running parts.

Nothing is kept here, so any number of servers can live side by side in one process. Every function imports what it
builds: a process loads its own rooms and no others, which is most of what starting one costs.
"""
