"""Scenarios: what a caller says and what must come of it, in files, played to the real agents."""

from callpool.evaluation.report import Outcome, Report
from callpool.evaluation.suite import play, run, run_folder

__all__ = ["Outcome", "Report", "play", "run", "run_folder"]
