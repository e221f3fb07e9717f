"""AMPscript outside the vendor's cloud: templates are read once, turned into Python once, run per message.

Pure like the rest of the content room: clock, randomness, data extensions, content blocks and everything else that
is not in the template arrives through one ``run.Run``.
"""
