"""The SMTP client: a sans-I/O session, an asyncio connection around it, and a pool of connections.

What callers use: ``target.SmtpTarget`` and ``target.parse_relay_url``, ``pool.SmtpPool`` and
``pool.Job``. Outcomes are values of ``postroom.delivery.outcome``.
"""
