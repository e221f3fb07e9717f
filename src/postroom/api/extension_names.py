"""How paths name a data extension: ``key:<its key>`` or its id (contract §7.2)."""

from uuid import UUID

from postroom.api.endpoint import Call
from postroom.api.errors import ApiError, Code
from postroom.catalog.data_extensions import DataExtension, find_extension, find_extension_by_object
from postroom.store.database import Pool


class ExtensionNames:
    """The data extensions of callers' business units, by these names."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, call: Call, name: str) -> DataExtension | None:
        """By ``key:<key>`` or id."""
        if name[:4].lower() == "key:":
            return await find_extension(self._pool, call.account_id, name[4:])
        object_id = uuid_of(name)
        return None if object_id is None else await find_extension_by_object(self._pool, call.account_id, object_id)

    async def named(self, call: Call, name: str) -> DataExtension:
        """By ``key:<key>`` or id. Raises ApiError 30003."""
        found = await self.find(call, name)
        if found is None:
            raise unknown_extension(name)
        return found

    async def keyed(self, call: Call, key: str) -> DataExtension:
        """By its key alone. Raises ApiError 30003."""
        found = await find_extension(self._pool, call.account_id, key)
        if found is None:
            raise unknown_extension(key)
        return found


def shown_name(name: str) -> str:
    """The name as messages tell it."""
    return f"key {name[4:][:100]!r}" if name[:4].lower() == "key:" else f"id {name[:100]!r}"


def unknown_extension(name: str) -> ApiError:
    """The error of a name that nothing has."""
    return ApiError(Code.NOT_FOUND, f"there is no data extension {name[:100]!r}; name it by its id or by key:<key>")


def uuid_of(text: str) -> UUID | None:
    """The UUID a text is, if it is one."""
    try:
        return UUID(text)
    except ValueError:
        return None
