"""The recipes of the workbook: one folder each, run from the folder above this one."""
