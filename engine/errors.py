"""The one error whose message is meant for the user's eyes."""


class UserError(Exception):
    """Wrong usage or input: one line that says what, where and how to mend it. The command line exits with 2."""
