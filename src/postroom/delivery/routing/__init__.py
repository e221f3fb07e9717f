"""Straight to the recipients' MX hosts: which hosts take a domain's mail, and how fast each site may be fed."""
