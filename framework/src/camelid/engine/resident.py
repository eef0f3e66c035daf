"""What a process takes of this machine's memory, whoever allocated it."""

import psutil

__all__ = ("resident_bytes",)


def resident_bytes(process: psutil.Process) -> int:
    """Resident bytes of a process. A page that several processes map counts in parts where the system says so (Linux).

    Raises:
        psutil.Error: it is gone, or belongs to somebody else.
    """
    memory = process.memory_full_info()
    proportional: int = getattr(memory, "pss", 0)
    return proportional or int(memory.rss)
