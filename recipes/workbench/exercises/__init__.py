"""A learner's exercises: judged, remembered, hinted at, started over."""
