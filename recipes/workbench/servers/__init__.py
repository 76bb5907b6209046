"""Apps in child processes: the parent's side, the child's, and the page's servers."""
