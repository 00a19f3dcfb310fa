"""Pictures of a trace: what the model said, where it was unsure, and what it nearly said instead.

`model` turns spans into what there is to draw, `otlp_json` reads spans back from a file, `terminal` draws them with
rich (the extra `view`). Importing this package imports none of them.
"""
