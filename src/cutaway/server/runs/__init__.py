"""Training runs in folders of this machine, over HTTP: their logs, their samples, what their newest checkpoint says.

Only folders that the server was started with are read, by name; nothing is written into them.
"""
