"""A plugin that puts a broken app in the place of the one that a test imports.

Given to pytest with `-p`; WORKBOOK_SUBJECT names the module and the file to load it
from, as in "recipes.r02_send_receive.main=/…/demo_lost_zero.py".
"""

import os
from pathlib import Path

from recipes.workbench import catalog

_name, _, _file = os.environ.get("WORKBOOK_SUBJECT", "").partition("=")
if _name:
    catalog.load(_name, Path(_file))
