"""Bounces and complaints: what receivers say of mail that was sent, whose fault it is, and what follows.

return_path  the signed envelope sender that names one message (pure)
report       a mail that came to it, read (pure)
verdict      whose fault a reply tells of, by rules.toml (pure)
log          the event, with what follows from it, in one transaction
rerun        the rules of today over stored replies
"""
