"""What has to be typed again to do the same with mended rows. It must never name a secret."""

from collections.abc import Mapping

from etl.quoting import holds_secret


def typed_again(
    named: Mapping[str, str | None], values: Mapping[str, str], switches: Mapping[str, bool]
) -> tuple[str, ...]:
    """Flags: those that are given (`named`), the fields that `--set` fixes (`values`), the `switches` that are on."""
    flags = [word for flag, value in named.items() if value is not None for word in (flag, value)]
    for name, text in values.items():
        if not holds_secret(name, text):
            flags += ["--set", f"{name}={text}"]
    return (*flags, *(flag for flag, is_on in switches.items() if is_on))
