"""What stays connected: capture's word on itself, the live picture, presses, and events for pages that watch."""
