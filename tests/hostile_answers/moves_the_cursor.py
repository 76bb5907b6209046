# FAILS. Its error would clear the terminal and turn the direction of writing.
raise RuntimeError("\x1b[2J\x1b]0;title\x07 \u202e \ud800 \x00")
