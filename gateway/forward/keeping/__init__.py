"""What stays on the box: room on its disk, what may go from it, and the check of a day."""
