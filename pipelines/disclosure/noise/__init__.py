"""Random noise with a budget: what each release tells of anybody is bounded, and so is what all of them tell
together."""
