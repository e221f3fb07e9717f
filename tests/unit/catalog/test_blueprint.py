"""What a file of `postroom apply` is refused with, before any database is asked."""

from pathlib import Path

import pytest

from postroom.catalog.blueprint import read_blueprint
from postroom.catalog.blueprint_folder import BlueprintFolder, BlueprintRejected


def test_a_file_that_names_no_business_unit_is_told_how(tmp_path: Path) -> None:
    folder = BlueprintFolder(tmp_path, most_files=1, most_bytes=1)
    with pytest.raises(BlueprintRejected, match=r"begin with the lines \[account\] and mid = "):
        read_blueprint('[[asset]]\nkey = "a"\nsubject = "b"\nhtml_file = "c"\n', folder)
