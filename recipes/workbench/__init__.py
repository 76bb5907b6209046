"""What runs apps in child processes and judges answers.

Recipes never import it; the tests and `python -m recipes` do.
"""
