"""The sandbox: a capture mailbox that takes every mail by SMTP and shows it over HTTP. Nothing leaves the machine.

smtp_server   the capture mailbox as a listening process (over `postroom.inbound`)
capture       the group commit between the two
mailbox       what is stored, in SQL
watch         wakes those who wait for a mail
routes, page  HTTP: the JSON calls and the web page
"""
