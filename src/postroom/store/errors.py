"""Why the database can't be used at the start: errors for the reader. What happens later is `store.trouble`."""


class StoreError(Exception):
    """The database can't be used. The text names what is wrong and what to do."""


class ServerTooOld(StoreError):
    """The PostgreSQL server is older than 15."""


class UnsuitableDatabase(StoreError):
    """The database has a property that can't be worked with, such as an encoding that is not UTF8."""


class MigrationChanged(StoreError):
    """A migration that the database has already applied is not the one this program carries."""


class DatabaseNewer(StoreError):
    """The database was migrated by a newer program than this one."""


class DatabaseOlder(StoreError):
    """The database is at a step before this program's, because a server of an older one runs on it."""


class MigrationFailed(StoreError):
    """A migration's SQL was refused; nothing of it was kept."""


class DirectoryInUse(StoreError):
    """Another process already serves this data directory."""


class DirectoryUnusable(StoreError):
    """The data directory can't be made, entered or written."""


class BinariesNotFound(StoreError):
    """No PostgreSQL program fits: none is installed, or none of the version that wrote the data."""


class ServerFailed(StoreError):
    """The embedded PostgreSQL did not start."""
