"""Signing by processes, for mails that are composed before a connection is free for them (see ``ahead``)."""
