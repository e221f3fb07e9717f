"""The command line: the edge that reads settings, starts processes and speaks to the person at the terminal."""
