"""What runs apps in child processes, judges answers, and shows all that as a page.

Recipes never import it; the tests and `python -m recipes` do. Its rooms, and which
others each of them imports:

    cli       -> exercises, page
    page      -> consoles, exercises, servers
    consoles  -> servers
    exercises -> servers
    judging   -> servers
    servers   -> nothing

To judge an answer, exercises starts a pytest that has judging as its plugin: a process
of its own, no import. All rooms import the modules that lie beside them, which import
each other only. No two modules import each other, by whatever way round.
"""
