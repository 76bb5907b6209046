"""What runs apps in child processes, judges answers, and shows all that as a page.

Recipes never import it; the tests and `python -m recipes` do. Its rooms, and which
others each of them imports:

    cli       -> exercises, grading, page      the commands of `python -m recipes`
    page      -> consoles, exercises, programs, servers  what a browser shows
    grading   -> exercises, servers            a class, judged apart from all else
    consoles  -> servers                       clients, and copies of what they said
    programs  -> servers                       what the texts tell to run
    exercises -> servers                       your answers, and how far you are
    judging   -> servers                       a plugin of pytest, which judges answers
    servers   -> nothing                       apps in child processes

In four rooms a desk.py takes the calls of a page and gives it the room's news. To
judge an answer, exercises starts a pytest with judging as its plugin: a process of its
own, no import. All rooms import what lies beside them, and that imports no room. No
modules import each other in a circle.
"""
