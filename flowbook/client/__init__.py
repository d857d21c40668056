"""What the reference API calls its client: here, the door to secrets."""

from __future__ import annotations

from flowbook.client.secrets import Secret

__all__ = ["Secret"]
