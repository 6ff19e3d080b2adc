"""Where plays and projects are worked on, if not in this process: Dask, on this machine or others.

Dask schedules, retries and ships; here is only what a task does, and what must hold before it is
sent. A task may run twice: a cycle is safe against crashes, a play changes nothing.
"""
