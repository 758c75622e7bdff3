"""Where secrets come from beside the environment: files that NAME_FILE names. Vault is asked by a gateway, which is handed in.

The order is: what a command is told, Vault, files, the environment, `.env`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, PydanticBaseSettingsSource

if TYPE_CHECKING:
    from config.settings import Settings

_ALSO = frozenset({"smtp_username"})
"""No secrets, but kept beside one."""


class SecretsFault(Exception):
    """The secrets cannot be had; its words name the reason in one line, and no secret."""


SecretsReader = Callable[["Settings"], Mapping[str, str]]
"""Asks whoever keeps secrets: setting (in its environment's spelling) -> value. Raises `SecretsFault`."""


class FileSource(PydanticBaseSettingsSource):
    """Secrets from files: NAME_FILE, in the environment or in `.env`, holds the path of a file that holds NAME."""

    def __init__(self, settings_cls: type[BaseSettings], *places: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        self._paths = paths_of_secrets(settings_cls, *places)

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the library's signature
        """The content of the file that is named for this field, if one is; `file_faults` tells of one that is none."""
        path = self._paths.get(field_name)
        try:
            return (Path(path).read_text(encoding="utf-8").strip() if path else None), field_name, False
        except (OSError, UnicodeDecodeError):
            return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """All fields that come from files."""
        found = {name: self.get_field_value(None, name)[0] for name in self._paths}
        return {name: value for name, value in found.items() if value is not None}


def paths_of_secrets(settings_cls: type[BaseSettings], *places: PydanticBaseSettingsSource) -> dict[str, str]:
    """Setting -> the path that NAME_FILE names; the first of `places` that names one has the say."""
    paths: dict[str, str] = {}
    for place in places:
        named = place.env_vars if isinstance(place, EnvSettingsSource) else {}
        for name in names_of_secrets(settings_cls):
            if path := named.get(f"{name}_file"):
                paths.setdefault(name, path)
    return paths


def names_of_secrets(settings_cls: type[BaseSettings]) -> list[str]:
    """The settings that may lie in files and in Vault."""
    fields = settings_cls.model_fields.items()
    return [name for name, field in fields if field.annotation is SecretStr or name in _ALSO]


def file_faults(settings_cls: type[BaseSettings], **given: Any) -> list[str]:
    """The files that settings name and that cannot be read."""
    dotenv = DotEnvSettingsSource(settings_cls, **({"env_file": given["_env_file"]} if "_env_file" in given else {}))
    faults = []
    for name, path in paths_of_secrets(settings_cls, EnvSettingsSource(settings_cls), dotenv).items():
        try:
            Path(path).read_text(encoding="utf-8")
        except OSError as error:
            faults.append(f"{name.upper()}_FILE cannot be read: {error}")
        except UnicodeDecodeError:
            faults.append(f"{name.upper()}_FILE is not UTF-8: {path}")
    return faults


def kept_elsewhere(
    settings: Settings, secrets_by: SecretsReader | None
) -> tuple[dict[str, str], list[str], SecretsFault | None]:
    """What Vault holds for these settings, what is wrong with it, and why nothing could be had."""
    if secrets_by is None or not settings.vault_addr:
        return {}, [], None
    try:
        found = secrets_by(settings)
    except SecretsFault as fault:
        return {}, [], fault
    known = {name for name in names_of_secrets(type(settings)) if not name.startswith("vault_")}
    faults = [f"VAULT_PATH holds {name}, which is no secret of ours" for name in found if name.lower() not in known]
    return {name.lower(): value for name, value in found.items() if name.lower() in known}, faults, None
