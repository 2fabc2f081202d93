"""Inside a Scan: which of its operations made the value, and at which step."""

from __future__ import annotations
