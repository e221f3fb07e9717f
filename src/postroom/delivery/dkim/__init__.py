"""DKIM signatures (RFC 6376, 8301, 8463): pure, on bytes that are ready for SMTP."""
