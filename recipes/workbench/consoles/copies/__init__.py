"""What was held in consoles, as code: a script, or a test for pytest.

Each exchange becomes steps, such as open, send and closed. The steps of all exchanges
are sorted by time (steps.py), and each is written as a statement, or as a comment if it
cannot be repeated (script.py and test.py, on form.py). What users and servers said is
written by `literal` and `comment` alone (code.py).
"""
