"""A port for a server in another process."""

import secrets
import socket

# Below those that the system gives to whoever asks for none in particular, as every client that connects does: nobody
# is given it before the server takes it. Seeds of tests must not choose it, which are the same in all processes.
PORTS = range(10_000, 30_000)


def free_port() -> int:
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
