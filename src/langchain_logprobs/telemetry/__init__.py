"""4. A report in, OpenTelemetry's spans, events, log records and metrics out."""
