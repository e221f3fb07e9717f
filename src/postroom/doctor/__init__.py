"""What a large receiver would object to in the mail of a domain, and what to do about it."""
