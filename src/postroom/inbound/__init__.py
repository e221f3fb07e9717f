"""Mail that comes in by SMTP: to the sandbox's capture mailbox, and to the return path of what was sent.

smtp_grammar  what a connection says and is answered (sans-I/O)
smtp_server   the listening process: sockets around the grammar, and a desk that answers each mail
bounce_desk   the desk for bounces and complaints
"""
