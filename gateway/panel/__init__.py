"""The panel process: the touchscreen's pages and the HTTP API. Touches no device and never waits for the network."""
