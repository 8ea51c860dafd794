"""The interpreter's own threads and locks, bound before anything stands in for their names."""

from __future__ import annotations

from _thread import allocate_lock, get_ident, start_new_thread

__all__ = ["allocate_lock", "get_ident", "start_new_thread"]
