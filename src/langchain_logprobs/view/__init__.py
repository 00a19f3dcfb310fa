"""5. Spans of any backend in, a picture of the trace out."""
