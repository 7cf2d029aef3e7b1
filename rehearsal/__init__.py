"""A cloud on a laptop: a Pulumi-compatible engine, provider stand-ins and an AWS emulator that meet on the wire."""
