"""Live loads: users come and go while a simulation runs, as Locust says.

Nothing here imports Locust, which patches the process that imports it.
"""
