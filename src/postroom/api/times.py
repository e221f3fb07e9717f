"""Times as the wire shows them: Central Standard Time, UTC-6 all year, without a zone (contract §0).

Postroom's own routes show UTC.
"""

from datetime import UTC, datetime, timedelta, timezone

_CENTRAL = timezone(timedelta(hours=-6))


def minute_time(moment: datetime) -> str:
    """A definition's date: to the minute, seconds always 00 (contract §3)."""
    return moment.astimezone(_CENTRAL).strftime("%Y-%m-%dT%H:%M:00")


def fine_time(moment: datetime) -> str:
    """A status timestamp: up to milliseconds, zeros at the end left out (contract §5.1)."""
    central = moment.astimezone(_CENTRAL)
    milliseconds = f"{central.microsecond // 1000:03d}".rstrip("0")
    seconds = central.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{seconds}.{milliseconds}" if milliseconds else seconds


def zoned_time(moment: datetime) -> str:
    """An asset's date: milliseconds and the offset (contract §7.1)."""
    return moment.astimezone(_CENTRAL).isoformat(timespec="milliseconds")


def utc_time(moment: datetime) -> str:
    """A moment on Postroom's own routes: UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
