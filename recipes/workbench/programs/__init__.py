"""The programs that a text tells its readers to run, run beside it."""
