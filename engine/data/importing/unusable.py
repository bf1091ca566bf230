"""Why a record becomes no sample."""


class Unusable(Exception):
    """The record becomes no sample; the message is the reason, the same for all records of its kind."""
