"""Telling recipients' domains once a day how TLS with their hosts went (RFC 8460)."""
