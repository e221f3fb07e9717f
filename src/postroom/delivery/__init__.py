"""Delivery: takes due slices of the queue and gives one outcome per message (see ``outcome``)."""
