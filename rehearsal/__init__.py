"""A cloud on a laptop: engine, provider stand-ins and cloud, which meet on the wire only."""
