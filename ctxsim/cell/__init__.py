"""What runs inside the application's process: standard library, gevent and greenlet only."""
