"""What a rehearsal refuses or fails at, for its callers to catch."""

from __future__ import annotations


# RehearsalError
#   NotRunningError        nothing to stop, ask or run in
#   StartError             a part did not come up
#   SettingError           a setting outside what is allowed
class RehearsalError(Exception):
    """Anything a rehearsal refuses or fails at; the message says what to do next."""


class NotRunningError(RehearsalError):
    """There is no rehearsal in the folder, or part of it has died."""


class StartError(RehearsalError):
    """A process of the rehearsal did not come up."""


class SettingError(RehearsalError):
    """A value given for a rehearsal is outside what is allowed."""
