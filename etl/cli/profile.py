"""Which profile holds: the one that is named, or the configuration's default. It must never read a key."""

import os
from pathlib import Path

import platformdirs

from etl.errors import UsageError
from etl.profiles import Profile, read_configuration


def configuration_file() -> Path:
    """Where the user's configuration is, whether it is there or not."""
    return Path(platformdirs.user_config_dir("coval-etl", appauthor=False)) / "config.toml"


def chosen_profile(name: str | None) -> Profile | None:
    """The profile with this name; without one the configuration's default, if it has any. Raises UsageError."""
    file = configuration_file()
    configuration = read_configuration(file)
    if configuration is None:
        if name is None:
            return None
        raise UsageError(
            f"There is no profile {name!r}: {file} does not exist.",
            f"Begin it with [profiles.{name}]; docs/profiles.md has an example.",
        )
    name = configuration.default if name is None else name
    return None if name is None else configuration.profile(name)


def has_key_in_environment() -> bool:
    """Whether COVAL_API_KEY holds anything."""
    return bool(os.environ.get("COVAL_API_KEY", "").strip())


def profile_of_job(before: str | None, named: str | None, *, has_key: bool) -> Profile | None:
    """The profile that carries a job on: the one `named` now, else the one of `before`, else as `chosen_profile`.

    `has_key`: there is a key without it, so that the one of before may be gone. Raises UsageError.
    """
    if named is not None or before is None:
        return chosen_profile(named or os.environ.get("COVAL_PROFILE") or None)
    try:
        return chosen_profile(before)
    except UsageError as error:
        if has_key:
            return None
        words = f"The job was begun with the profile {before!r}. {error.message}"
        raise UsageError(words, "Mend that, or name another with --profile.") from None
