"""Where the embedded engine differs from the official CLI by design, and why.

A test fails on any difference that is not here, and on any line here that excuses nothing.
"""

from __future__ import annotations

from tests.support.engine_scenarios.compare import Allowance

ALLOWANCES: tuple[Allowance, ...] = (
    Allowance(
        scenario="usage_errors",
        place=r"/commands\[2\]/stderr",
        official=r".*unknown command .*Did you mean this.*",
        ours=r".*unknown command .*",
        reason="the official CLI guesses at commands of its own that this engine does not have",
    ),
    Allowance(
        scenario="import_refused",
        place=r"/commands\[3\]/stderr\[0\]",
        official=r"error: invalid character .*",
        ours=r"error: could not read the deployment: .*",
        reason="the words are those of each language's JSON reader",
    ),
    Allowance(
        scenario="identity",
        place=r"/commands\[2\]/stderr\[0\]",
        official=r"error: backends of this type .* do not support organizations",
        ours=r"error: `pulumi org` is not supported .*",
        reason="both refuse with exit code 1; ours says that it is the engine's limit",
    ),
)
