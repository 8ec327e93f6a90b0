"""What stands between a client and an answer: keys, limits, logs. One middleware a file, put together in stack.py."""
