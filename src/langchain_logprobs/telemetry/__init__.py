"""What goes out: the only modules that know OpenTelemetry."""
