"""What a command ends with, one rule for all verbs."""

from collections.abc import Mapping

DONE = 0
NO = 1
UNUSABLE = 2
FAULT = 70
INTERRUPTED = 130
UNREAD = 141

EXIT_CODES: Mapping[int, str] = {
    DONE: "Done. For a list also when it is empty.",
    NO: (
        "Carried out, and the answer is no or not all of it was done: a finding that fails, a line that was rejected, "
        "a message that is not held. Also when it could not be done now: another server works on the data directory, "
        "a process did not start, the database went away in the middle."
    ),
    UNUSABLE: (
        "Not carried out, nothing changed: an argument, an option or a setting can't be used, names something that is "
        "not there, or no database answers. The same command fails again until it is corrected."
    ),
    FAULT: "A fault of Postroom itself; the only thing that is told with a traceback.",
    INTERRUPTED: "Ctrl-C. `serve` and the other processes stop cleanly at the first one, which is 0.",
    UNREAD: "Whoever read the output has gone, as in `… | head`.",
}
"""The reference of commands prints these."""
