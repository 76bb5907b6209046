"""A class graded: answers are taken, judged apart from all else, and reported."""
