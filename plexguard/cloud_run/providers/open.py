"""Which provider the configuration names."""

from plexguard.cloud_run.config import KEY_CREDENTIAL, Config
from plexguard.cloud_run.providers.provider import Provider
from plexguard.core.clock import Clock
from plexguard.core.errors import ConfigError, MissingInput, PlexguardError
from plexguard.core.host import Host
from plexguard.core.secret import ADMIN_CREDENTIALS, Secret, read_credential


class NotConfigured(PlexguardError):
    """Nothing says where machines come from."""

    exit_code = ConfigError.exit_code
    hint = "name a provider in [cloud-run], see man plexguard-cloud-run"


def open_provider(config: Config, *, clock: Clock, host: Host) -> Provider:
    """Return the provider that is configured. Raises NotConfigured, MissingInput (no key), NoPermission."""
    match config.provider:
        case "scaleway":
            from plexguard.cloud_run.providers.scaleway.provider import Scaleway  # requests is for who asks Scaleway

            key = read_credential(KEY_CREDENTIAL)
            if key is None:
                file = ADMIN_CREDENTIALS / KEY_CREDENTIAL
                raise MissingInput(f"{file}: the secret key of Scaleway is not there", hint=f"install -m 600 /dev/stdin {file}")
            return Scaleway(config, Secret(key), clock)
        case "ssh":
            from plexguard.cloud_run.providers.ssh import Ssh

            return Ssh(config, clock)
        case "local":
            from plexguard.cloud_run.providers.local import Local

            return Local(clock, host)
        case _:
            raise NotConfigured("The cloud is not configured")
