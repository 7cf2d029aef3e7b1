"""A rehearsal's record as one self-contained HTML page: charts, stages, verdicts."""

from rehearsal.report.page import write_report

__all__ = ["write_report"]
