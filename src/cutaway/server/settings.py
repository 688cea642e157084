"""Where the server listens, who may ask, and how much at once."""

import ipaddress
from dataclasses import dataclass

from cutaway.errors import ConfigError

MIN_KEY_LENGTH = 8


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Everything about a server that is not the model.

    Raises: ConfigError for an address beyond this machine without a key, or a value out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    keys: tuple[str, ...] = ()
    """Secrets of which a client must show one, as `Authorization: Bearer …`; none lets everybody in."""
    public: bool = False
    """Listen beyond this machine even without a key."""
    max_body_bytes: int = 4 << 20
    max_prompts: int = 256
    """Prompts in one request."""
    max_samples: int = 128
    """`n`, or `best_of`, for each prompt."""
    max_request_samples: int = 512
    """Prompts times samples in one request."""
    time_limit_s: float = 600.0
    """Seconds that a request may take, waiting included."""
    body_time_s: float = 20.0
    """Seconds within which a request must have arrived."""
    drain_s: float = 30.0
    """Seconds that requests get to finish when the server is asked to stop."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port={self.port} does not exist; give 1 to 65535, or 0 for any that is free")
        for key in self.keys:
            if len(key) < MIN_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
                raise ConfigError(
                    f"a key of {len(key)} characters is no use; give at least {MIN_KEY_LENGTH}, "
                    "in ASCII and without spaces"
                )
        if not (self.loopback or self.keys or self.public):
            raise ConfigError(
                f"host={self.host!r} would let everybody in the network in; set CUTAWAY_API_KEY, "
                "or say --public if that is what you want"
            )
        for name in ("max_body_bytes", "max_prompts", "max_samples", "max_request_samples"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} lets nothing in; give at least 1")
        for name in ("time_limit_s", "body_time_s", "drain_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigError(f"{name}={getattr(self, name)} must be a number of seconds above 0")

    @property
    def loopback(self) -> bool:
        """Whether only programs on this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
