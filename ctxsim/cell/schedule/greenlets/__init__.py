"""Controlled schedules for gevent's greenlets.

gevent itself runs unmodified, on a loop of ours: it chooses which of the greenlets that are ready
goes on, and its time is virtual. A greenlet is made to wait only where gevent would switch.
"""
