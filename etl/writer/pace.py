"""Where the pace used to be. It must never know more than that; it goes with its last import."""

from etl.api.clock import Clock
from etl.api.pace import Pace
from etl.api.retry_after import asked_wait_s

__all__ = ["Clock", "Pace", "asked_wait_s"]
