"""3. Tokens and what is known of the call in, one `ConfidenceReport` out. Pure."""
