"""The packaged migration files. What migrating does to a database is in tests/scenarios/server."""

from postroom.store.migrate import Migration, packaged_migrations


def test_files_are_numbered_from_one_without_gaps() -> None:
    numbers = [migration.number for migration in packaged_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert numbers


def test_checksum_does_not_depend_on_the_line_ends_of_a_checkout() -> None:
    unix = Migration(1, "a", "create table a ();\n-- end\n")
    windows = Migration(1, "a", "create table a ();\r\n-- end\r\n")
    other = Migration(1, "a", "create table b ();\n-- end\n")
    assert unix.checksum == windows.checksum != other.checksum
