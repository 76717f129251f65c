"""`Server`: one server of a fleet."""

from __future__ import annotations

from dataclasses import dataclass, field

from invokeai_py_client.errors import SettingsError
from invokeai_py_client.secret import Secret
from invokeai_py_client.settings import Settings


@dataclass(frozen=True, slots=True, init=False)
class Server:
    """One InvokeAI server of a fleet.

    Args:
        url: its URL, such as `http://gpu1:9090`.
        token: a bearer token, needed if the server runs in multi-user mode. Stored as a `Secret`.
        slots: how many rows it runs at the same time; None for one on each device that it reports.
        name: its name in reports and logs; by default its URL.

    Raises:
        SettingsError: a value is not valid.

    Example:
        >>> Server("gpu1:9090", slots=2)
        Server(url='http://gpu1:9090', slots=2, name='http://gpu1:9090')
    """

    url: str
    token: Secret | None = field(repr=False)
    slots: int | None
    name: str

    def __init__(
        self,
        url: str | Secret,
        *,
        token: str | Secret | None = None,
        slots: int | None = None,
        name: str | None = None,
    ) -> None:
        # Wrapped before anything can fail, so that no frame of a traceback contains the plain values.
        url, token = Secret.of(url), Secret.of(token)
        settings = Settings(url, token=token)
        if slots is not None and (type(slots) is not int or slots < 1):
            raise SettingsError(
                f"`slots` must be an integer of at least 1, got {slots!r}.", setting="slots", hint="Use 1 or more."
            )
        object.__setattr__(self, "url", settings.url)
        object.__setattr__(self, "token", settings.token)
        object.__setattr__(self, "slots", slots)
        object.__setattr__(self, "name", name or settings.url)

    def settings(self) -> Settings:
        """Return the settings of a client of this server.

        Without a token, credentials are read from the environment, as for a client.

        Raises:
            SettingsError: the environment has only one of an email and a password.
        """
        return Settings.from_environment(url=self.url, token=self.token)
