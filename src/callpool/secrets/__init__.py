"""Secret values: a type that never prints, and the sources it can come from."""

from callpool.secrets.secret import Secret, resolve_secret

__all__ = ["Secret", "resolve_secret"]
