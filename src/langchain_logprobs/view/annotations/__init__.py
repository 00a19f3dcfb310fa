"""A trace's confidence as scores in the columns of other tools, each by its own client."""
