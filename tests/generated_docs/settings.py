"""`docs/configuration.md` and `.env.example`, from the settings class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from config.settings import HOME, Settings
from tests.generated_docs.shapes import MADE, code, table, words_of

_INTRODUCTION = f"""# Configuration

<!-- {MADE} -->

Settings come from the environment, then from `.env` in the working directory, then from `.env` beside `run.py`; an empty
value counts as none. A secret may also come from a file: `SECRET_KEY_FILE=/run/secrets/key` (likewise for every setting
marked *secret*). Lists are separated by commas. `python3 run.py check` prints what is in force, secrets masked, and names
every fault at once; a server with a fault does not start.

`--host`, `--port` and `--data` of `python3 run.py` go before `HTTP_HOST`, `HTTP_PORT` and `LMS_DATA_DIR`.
"""
_RULES = """
## What must go together

- `MONGODB_URL` and `REDIS_URL` are set both or neither. With them `SECRET_KEY`, `PASSWORD_PEPPER` and `SIGNING_KEY` must
  be set: nodes share keys, never a directory. Without them the embedded store makes its keys at the first start, in `secrets` in its
  data directory.
- `SECRET_KEY` has at least 32 bytes; `SIGNING_KEY` is 32 random bytes in base64 (`openssl rand -base64 32`).
- `ENVIRONMENT=production` refuses to start, naming every fault at once, with: debug on; a weak or default `SECRET_KEY`,
  `PASSWORD_PEPPER` or `SIGNING_KEY`; the API's documentation open; the embedded stores; inline tasks; a token blacklist that fails open;
  a wildcard in `CORS_ORIGINS`; cookies without Secure; `PASSWORD_HASH_COST` below 12.
- `DATABASE_URL`, `DB_POOL_SIZE`, `DB_MAX_OVERFLOW`, `CELERY_BROKER_URL` and `CELERY_RESULT_BACKEND` are of older designs:
  when set, one warning names their successor.
- `STRICT_ROUTER_IMPORTS` needs no setting: there is one table of routes, and a module of it that cannot be imported, or a row
  that is wrong, never lets a server start, wherever it runs. When set, a warning says so.
- `VERSION` is none either: `/ready`, the OpenAPI document, archives and webhooks tell which code runs, and an environment (many
  images set that name for themselves) does not know. A name of one's own for a release is `SENTRY_RELEASE`.
- Commands read `LMS_PASSWORD` instead of asking for a password (`create-admin`, `simulate`).
"""


def configuration() -> str:
    """The page."""
    properties = Settings.model_json_schema()["properties"]
    rows = [
        (code(name.upper()), _kind(field, properties[name]), _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return f"{_INTRODUCTION}\n{table(('setting', 'takes', 'default', 'what it is'), rows)}\n{_RULES}"


def env_example() -> str:
    """Every setting with its default, all of them commented out."""
    lines = [
        "# Every setting with its default. Copy to .env, and uncomment what differs. docs/configuration.md tells more.",
        f"# {MADE}",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"#{name.upper()}={_value(field)}"]
    return "\n".join(lines) + "\n"


def _kind(field: FieldInfo, schema: dict[str, Any]) -> str:
    if field.annotation is SecretStr:
        return "text, *secret*"
    if isinstance(field.default, tuple):
        return "list"
    if isinstance(field.default, bool) or field.annotation == bool | None:
        return "true or false"
    if hasattr(field.annotation, "__members__"):
        return " \\| ".join(f"`{value}`" for value in field.annotation)  # type: ignore[union-attr]
    if "minimum" in schema and "maximum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    return words_of(schema)


def _default(field: FieldInfo) -> str:
    return code(_value(field)) or "*unset*"


def _value(field: FieldInfo) -> str:
    """The default as one would write it in the environment."""
    default = field.default
    if default is None:
        return ""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, Path) and default.is_relative_to(HOME):
        return str(default.relative_to(HOME))
    return str(getattr(default, "value", default))
