"""`callpool doctor`: what is configured, what answers, and what to do about the rest."""

from callpool.doctor.examination import examine, run
from callpool.doctor.finding import Finding

__all__ = ["Finding", "examine", "run"]
