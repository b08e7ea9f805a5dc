"""The panel process: the touchscreen's pages and the HTTP API. Touches no device, waits for no network."""
