"""Where the embedded engine differs from the official CLI by design, and why.

A test fails on any difference that is not here, and on any line here that excuses nothing.
"""

from __future__ import annotations

from tests.support.engine_scenarios.compare import Allowance

ALLOWANCES: tuple[Allowance, ...] = ()
