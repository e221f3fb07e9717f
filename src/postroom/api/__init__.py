"""The HTTP edge: the vendor's routes, JSON and error bodies. Wire shapes live here and nowhere else."""
